/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.fnexecution.control;

import java.io.Closeable;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Consumer;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.InstructionRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.InstructionResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.ProcessBundleDescriptor;
import org.apache.beam.sdk.fn.stream.SynchronizedStreamObserver;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Status;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Replaces the class of the same name in Beam 2.70, which correlates the instructions and responses of a worker. There, an
 * instruction that is sent while the control stream ends may never get a response, and its bundle waits forever. Here, the end
 * of the stream fails every instruction, whenever it was sent. The data service uses {@link #ended} as well.
 */
public class FnApiControlClient implements Closeable, InstructionRequestHandler {
  private static final Logger LOG = LoggerFactory.getLogger(FnApiControlClient.class);

  /** A bundle sends its instruction, and then waits on the same thread for the data stream of the worker. */
  private static final ThreadLocal<FnApiControlClient> LAST_USED = new ThreadLocal<>();

  private final String workerId;
  private final StreamObserver<InstructionRequest> requests;
  private final ConcurrentMap<String, ProcessBundleDescriptor> descriptors;
  private final Map<String, CompletableFuture<InstructionResponse>> outstanding = new ConcurrentHashMap<>();
  private final Set<Consumer<FnApiControlClient>> closeListeners = ConcurrentHashMap.newKeySet();
  /** Completes when the stream has ended. The value is the reason. */
  private final CompletableFuture<Throwable> ended = new CompletableFuture<>();

  private FnApiControlClient(
      String workerId,
      StreamObserver<InstructionRequest> requests,
      ConcurrentMap<String, ProcessBundleDescriptor> descriptors) {
    this.workerId = workerId;
    this.requests = SynchronizedStreamObserver.wrapping(requests);
    this.descriptors = descriptors;
  }

  public static FnApiControlClient forRequestObserver(
      String workerId,
      StreamObserver<InstructionRequest> requestObserver,
      ConcurrentMap<String, ProcessBundleDescriptor> processBundleDescriptors) {
    return new FnApiControlClient(workerId, requestObserver, processBundleDescriptors);
  }

  /** The client that has sent the last instruction of this thread; null before the first one. */
  public static FnApiControlClient lastUsedByThisThread() {
    return LAST_USED.get();
  }

  /** Completes when the control stream has ended. */
  public CompletableFuture<?> ended() {
    return ended;
  }

  @Override
  public CompletionStage<InstructionResponse> handle(InstructionRequest request) {
    LAST_USED.set(this);
    String id = request.getInstructionId();
    CompletableFuture<InstructionResponse> response = new CompletableFuture<>();
    outstanding.put(id, response);
    // After the put: either this check sees the end, or the end sees the instruction.
    if (ended.isDone()) {
      outstanding.remove(id);
      response.completeExceptionally(ended.join());
      return response;
    }
    try {
      requests.onNext(request);
    } catch (RuntimeException e) {
      outstanding.remove(id);
      response.completeExceptionally(e);
    }
    return response;
  }

  public StreamObserver<InstructionResponse> asResponseObserver() {
    return new Responses();
  }

  public ProcessBundleDescriptor getProcessBundleDescriptor(String id) {
    return descriptors.get(id);
  }

  @Override
  public void registerProcessBundleDescriptor(ProcessBundleDescriptor descriptor) {
    descriptors.put(descriptor.getId(), descriptor);
  }

  @Override
  public void close() {
    end(new IllegalStateException("Runner closed connection"));
  }

  public String getWorkerId() {
    return workerId;
  }

  public void onClose(Consumer<FnApiControlClient> listener) {
    closeListeners.add(listener);
  }

  private void end(Throwable cause) {
    if (!ended.complete(cause)) return;
    try {
      if (outstanding.isEmpty()) requests.onCompleted();
      else requests.onError(Status.CANCELLED.withDescription(cause.getMessage()).asRuntimeException());
    } catch (RuntimeException e) {
      LOG.debug("The control stream of worker {} was closed already", workerId, e);
    }
    if (!outstanding.isEmpty()) {
      LOG.error("The control stream of worker {} has ended; it fails {} instructions", workerId, outstanding.size());
    }
    for (String id : outstanding.keySet()) {
      CompletableFuture<InstructionResponse> response = outstanding.remove(id);
      if (response != null) response.completeExceptionally(cause);
    }
    for (Consumer<FnApiControlClient> listener : closeListeners) listener.accept(this);
  }

  /** Receives the responses of the worker. */
  private final class Responses implements StreamObserver<InstructionResponse> {
    @Override
    public void onNext(InstructionResponse response) {
      String id = response.getInstructionId();
      CompletableFuture<InstructionResponse> waiting = outstanding.remove(id);
      if (waiting == null) {
        LOG.warn("Dropped the response to unknown instruction {}", id);
      } else if (response.getError().isEmpty()) {
        waiting.complete(response);
      } else {
        waiting.completeExceptionally(
            new RuntimeException(
                String.format("Error received from SDK harness for instruction %s: %s", id, response.getError())));
      }
    }

    @Override
    public void onCompleted() {
      end(new IllegalStateException("SDK harness closed connection"));
    }

    @Override
    public void onError(Throwable cause) {
      LOG.error("The control stream of worker {} has broken", workerId, cause);
      end(cause);
    }
  }
}
