/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.fnexecution.state;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateGetResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnStateGrpc;
import org.apache.beam.sdk.fn.server.FnService;
import org.apache.beam.vendor.grpc.v1p69p0.com.google.protobuf.ByteString;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.ServerCallStreamObserver;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;
import org.apache.beam.vendor.guava.v32_1_2_jre.com.google.common.base.Throwables;

/**
 * Replaces the class of the same name in Beam 2.70. It also answers many state requests in one message, because a message
 * costs several times as much as the access to the state. A batch is a request with the instruction id {@link #BATCH} that appends
 * the requests, each after its length. The answer is that of a get: the responses, each after its length, in the same order.
 */
public class GrpcStateService extends BeamFnStateGrpc.BeamFnStateImplBase
    implements StateDelegator, FnService {
  /** Workers send the same text (patches/stateRequests.ts). */
  private static final String BATCH = "beam-typescript:state-batch";

  private final Map<String, StateRequestHandler> handlers = new ConcurrentHashMap<>();
  private final Set<StreamObserver<StateResponse>> workers = ConcurrentHashMap.newKeySet();

  public static GrpcStateService create() {
    return new GrpcStateService();
  }

  private GrpcStateService() {}

  @Override
  public void close() {
    RuntimeException failure = null;
    for (StreamObserver<StateResponse> worker : workers) {
      if (worker instanceof ServerCallStreamObserver
          && ((ServerCallStreamObserver<StateResponse>) worker).isCancelled()) {
        continue; // the worker has hung up
      }
      try {
        worker.onCompleted();
      } catch (RuntimeException e) {
        if (failure == null) failure = e;
        else failure.addSuppressed(e);
      }
    }
    if (failure != null) throw failure;
  }

  @Override
  public Registration registerForProcessBundleInstructionId(
      String instructionId, StateRequestHandler handler) {
    handlers.putIfAbsent(instructionId, handler);
    return new Registration() {
      @Override
      public void deregister() {
        handlers.remove(instructionId);
      }

      @Override
      public void abort() {
        deregister();
      }
    };
  }

  @Override
  public StreamObserver<StateRequest> state(StreamObserver<StateResponse> worker) {
    workers.add(worker);
    return new StreamObserver<StateRequest>() {
      @Override
      public void onNext(StateRequest request) {
        CompletableFuture<StateResponse> answer =
            request.getInstructionId().equals(BATCH) ? answerBatch(request) : answer(request);
        answer.thenAccept(worker::onNext);
      }

      @Override
      public void onError(Throwable error) {
        worker.onCompleted();
      }

      @Override
      public void onCompleted() {
        worker.onCompleted();
      }
    };
  }

  /** Never fails: an error is a response. */
  private CompletableFuture<StateResponse> answer(StateRequest request) {
    String id = request.getId();
    StateRequestHandler handler = handlers.get(request.getInstructionId());
    if (handler == null) {
      String error = "Unknown process bundle instruction id '" + request.getInstructionId() + "'";
      return CompletableFuture.completedFuture(StateResponse.newBuilder().setId(id).setError(error).build());
    }
    try {
      return handler
          .handle(request)
          .handle((response, error) -> error == null ? response.setId(id).build() : failure(id, error))
          .toCompletableFuture();
    } catch (Exception e) {
      return CompletableFuture.completedFuture(failure(id, e));
    }
  }

  private CompletableFuture<StateResponse> answerBatch(StateRequest batch) {
    List<CompletableFuture<StateResponse>> answers = new ArrayList<>();
    try (InputStream requests = batch.getAppend().getData().newInput()) {
      for (StateRequest next = StateRequest.parseDelimitedFrom(requests);
          next != null;
          next = StateRequest.parseDelimitedFrom(requests)) {
        answers.add(answer(next));
      }
    } catch (IOException e) {
      return CompletableFuture.completedFuture(failure(batch.getId(), e));
    }
    return CompletableFuture.allOf(answers.toArray(new CompletableFuture<?>[0]))
        .thenApply(all -> batchResponse(batch.getId(), answers));
  }

  private static StateResponse batchResponse(String id, List<CompletableFuture<StateResponse>> answers) {
    ByteString.Output responses = ByteString.newOutput();
    try {
      for (CompletableFuture<StateResponse> answer : answers) answer.join().writeDelimitedTo(responses);
    } catch (IOException e) {
      return failure(id, e);
    }
    StateGetResponse get = StateGetResponse.newBuilder().setData(responses.toByteString()).build();
    return StateResponse.newBuilder().setId(id).setGet(get).build();
  }

  private static StateResponse failure(String id, Throwable error) {
    return StateResponse.newBuilder().setId(id).setError(Throwables.getStackTraceAsString(error)).build();
  }
}
