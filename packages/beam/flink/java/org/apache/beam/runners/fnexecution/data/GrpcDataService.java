/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.fnexecution.data;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.Elements;
import org.apache.beam.model.fnexecution.v1.BeamFnDataGrpc;
import org.apache.beam.runners.fnexecution.control.FnApiControlClient;
import org.apache.beam.sdk.fn.data.BeamFnDataGrpcMultiplexer;
import org.apache.beam.sdk.fn.data.BeamFnDataOutboundAggregator;
import org.apache.beam.sdk.fn.data.CloseableFnDataReceiver;
import org.apache.beam.sdk.fn.server.FnService;
import org.apache.beam.sdk.fn.stream.OutboundObserverFactory;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Context;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.CallStreamObserver;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Replaces the class of the same name in Beam 2.70, which does not notice the end of a worker's data stream. A bundle whose
 * response has arrived before all of its data then waits forever, and so does a bundle that sends data to the worker. Flink
 * notices neither, because the task neither fails nor ends; only an expired checkpoint ends such a job.
 *
 * <p>In this class, the end of the data stream fails every bundle that waits for it, and every later one. It also waits after
 * each message until the worker can take more, not only after a hundred messages of up to 1 MB.
 */
public class GrpcDataService extends BeamFnDataGrpc.BeamFnDataImplBase implements FnService, FnDataService {
  private static final Logger LOG = LoggerFactory.getLogger(GrpcDataService.class);

  /** Time for a worker that has got an instruction to open its data stream; s, as in Beam. */
  private static final long CONNECT_S = 180;

  private final PipelineOptions options;
  private final ExecutorService executor;
  /** The stream of the worker. Completes exceptionally when the service is closed before the worker has connected. */
  private final CompletableFuture<WorkerStream> connected = new CompletableFuture<>();

  public static GrpcDataService create(
      PipelineOptions options, ExecutorService executor, OutboundObserverFactory outboundObserverFactory) {
    return new GrpcDataService(options, executor);
  }

  private GrpcDataService(PipelineOptions options, ExecutorService executor) {
    this.options = options;
    this.executor = executor;
  }

  @Override
  public StreamObserver<Elements> data(StreamObserver<Elements> outbound) {
    LOG.info("Beam Fn Data client connected.");
    WorkerStream stream = new WorkerStream((CallStreamObserver<Elements>) outbound);
    if (!connected.complete(stream)) throw new IllegalStateException("The worker has two data streams");
    return stream;
  }

  @Override
  public void close() {
    connected.completeExceptionally(new IllegalStateException("The data service is closed"));
    if (!connected.isCompletedExceptionally()) connected.join().end("The runner closes the data stream");
  }

  @Override
  @SuppressWarnings("FutureReturnValueIgnored")
  public void registerReceiver(String instructionId, CloseableFnDataReceiver<Elements> receiver) {
    if (connected.isDone()) stream().register(instructionId, receiver);
    else connected.thenAcceptAsync(stream -> stream.register(instructionId, receiver), executor);
  }

  @Override
  public void unregisterReceiver(String instructionId) {
    stream().multiplexer.unregisterConsumer(instructionId);
  }

  @Override
  public BeamFnDataOutboundAggregator createOutboundAggregator(
      Supplier<String> instructionId, boolean collectElementsIfNoFlushes) {
    return new BeamFnDataOutboundAggregator(
        options, instructionId, stream().multiplexer.getOutboundObserver(), collectElementsIfNoFlushes);
  }

  /** Waits for the stream of the worker, as long as the control stream on which this thread has sent an instruction lasts. */
  private WorkerStream stream() {
    FnApiControlClient control = FnApiControlClient.lastUsedByThisThread();
    CompletableFuture<?> ended = control == null ? new CompletableFuture<>() : control.ended();
    try {
      CompletableFuture.anyOf(connected, ended).get(CONNECT_S, TimeUnit.SECONDS);
      if (!connected.isDone()) throw new IllegalStateException("The worker has stopped before it opened its data stream");
      return connected.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    } catch (TimeoutException e) {
      throw new IllegalStateException("The worker has not opened its data stream within " + CONNECT_S + " s", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  /** The data stream of a worker. This observer receives what the worker sends. */
  private static final class WorkerStream implements StreamObserver<Elements> {
    private final Outbound outbound;
    private final BeamFnDataGrpcMultiplexer multiplexer;
    private volatile boolean ended;

    WorkerStream(CallStreamObserver<Elements> call) {
      outbound = new Outbound(call);
      multiplexer =
          new BeamFnDataGrpcMultiplexer(
              null,
              new OutboundObserverFactory() {
                @Override
                @SuppressWarnings("unchecked")
                public <ReqT, RespT> StreamObserver<RespT> outboundObserverFor(
                    BasicFactory<ReqT, RespT> base, StreamObserver<ReqT> inbound) {
                  return (StreamObserver<RespT>) outbound;
                }
              },
              inbound -> outbound);
      // Not only onError: that waits until onNext has returned, and onNext waits until its bundle takes the data.
      Context.current().addListener(context -> end("The data stream of the worker has ended"), Runnable::run);
    }

    void register(String instructionId, CloseableFnDataReceiver<Elements> receiver) {
      multiplexer.registerConsumer(instructionId, receiver);
      if (ended) close(receiver);
    }

    private static void close(CloseableFnDataReceiver<Elements> receiver) {
      try {
        receiver.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public void onNext(Elements elements) {
      multiplexer.getInboundObserver().onNext(elements);
    }

    @Override
    public void onError(Throwable t) {
      end("The data stream of the worker has broken: " + t.getMessage());
    }

    @Override
    public void onCompleted() {
      end("The worker has ended its data stream");
    }

    /** Fails all bundles that use the stream. Safe to repeat. */
    void end(String why) {
      synchronized (this) {
        if (ended) return;
        ended = true;
      }
      outbound.end(why);
      try {
        // Fails the receivers: a bundle that waits for data gets an error instead.
        multiplexer.close();
      } catch (Exception e) {
        LOG.warn("Cannot close the data stream of a worker", e);
      }
    }
  }

  /** Sends to a worker as fast as it takes messages, and fails instead of waiting for a worker that is gone. */
  private static final class Outbound implements StreamObserver<Elements> {
    /** The call tells when it is ready again, but not while its thread waits for a bundle to take data; ms. */
    private static final long POLL_MS = 100;

    private final CallStreamObserver<Elements> call;
    private final Object monitor = new Object();
    /** Why nothing can be sent any more. */
    private String ended;

    Outbound(CallStreamObserver<Elements> call) {
      this.call = call;
      call.setOnReadyHandler(this::wake);
    }

    private void wake() {
      synchronized (monitor) {
        monitor.notifyAll();
      }
    }

    @Override
    public void onNext(Elements elements) {
      synchronized (monitor) {
        while (ended == null && !call.isReady()) {
          try {
            monitor.wait(POLL_MS);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
          }
        }
        if (ended != null) throw new IllegalStateException(ended);
        call.onNext(elements);
      }
    }

    void end(String why) {
      synchronized (monitor) {
        if (ended == null) ended = why;
        monitor.notifyAll();
      }
    }

    @Override
    public void onError(Throwable t) {
      synchronized (monitor) {
        end(String.valueOf(t.getMessage()));
        call.onError(t);
      }
    }

    @Override
    public void onCompleted() {
      synchronized (monitor) {
        end("The stream is complete");
        call.onCompleted();
      }
    }
  }
}
