/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.fnexecution.state;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateAppendRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateClearRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateGetRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateGetResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateKey;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StateResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnStateGrpc;
import org.apache.beam.sdk.fn.server.FnService;
import org.apache.beam.vendor.grpc.v1p69p0.com.google.protobuf.ByteString;
import org.apache.beam.vendor.grpc.v1p69p0.com.google.protobuf.CodedInputStream;
import org.apache.beam.vendor.grpc.v1p69p0.com.google.protobuf.CodedOutputStream;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.ServerCallStreamObserver;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;
import org.apache.beam.vendor.guava.v32_1_2_jre.com.google.common.base.Throwables;

/**
 * Replaces the class of the same name in Beam 2.70. It also answers many requests for user state in one message, because a message
 * costs several times as much as the access to the state. Such a batch is a request with the instruction id {@link #BATCH} that
 * appends the requests; the answer is that of a get. patches/stateMessages.ts describes both formats.
 */
public class GrpcStateService extends BeamFnStateGrpc.BeamFnStateImplBase
    implements StateDelegator, FnService {
  /** Workers send the same text (patches/stateMessages.ts). */
  private static final String BATCH = "beam-typescript:state-batch";

  private static final int BUNDLE = 0;
  private static final int STATES = 1;
  private static final int GET = 2;
  private static final int APPEND = 3;
  private static final int CLEAR = 4;

  private static final int DONE = 0;
  private static final int DATA = 1;
  private static final int PART = 2;
  private static final int ERROR = 3;

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
    return handle(handlers.get(request.getInstructionId()), request)
        .handle((response, error) -> error == null ? response.setId(id).build() : failure(id, error));
  }

  private static CompletableFuture<StateResponse.Builder> handle(StateRequestHandler handler, StateRequest request) {
    if (handler == null) {
      // Workers recognize this text: the runner has given up the bundle.
      String error = "Unknown process bundle instruction id '" + request.getInstructionId() + "'";
      return CompletableFuture.completedFuture(StateResponse.newBuilder().setError(error));
    }
    try {
      return handler.handle(request).toCompletableFuture();
    } catch (Exception e) {
      CompletableFuture<StateResponse.Builder> failed = new CompletableFuture<>();
      failed.completeExceptionally(e);
      return failed;
    }
  }

  private CompletableFuture<StateResponse> answerBatch(StateRequest batch) {
    List<CompletableFuture<StateResponse.Builder>> answers = new ArrayList<>();
    try {
      CodedInputStream in = batch.getAppend().getData().newCodedInput();
      List<StateKey.BagUserState> states = new ArrayList<>();
      StateRequestHandler handler = null;
      StateRequest.Builder request = StateRequest.newBuilder();
      StateKey.Builder stateKey = StateKey.newBuilder();
      while (!in.isAtEnd()) {
        int kind = in.readRawByte();
        if (kind == BUNDLE) {
          String bundle = in.readStringRequireUtf8();
          request.setInstructionId(bundle);
          handler = handlers.get(bundle);
          continue;
        }
        if (kind == STATES) {
          states.add(
              StateKey.BagUserState.newBuilder()
                  .setTransformId(in.readStringRequireUtf8())
                  .setUserStateId(in.readStringRequireUtf8())
                  .setWindow(in.readBytes())
                  .build());
          continue;
        }
        StateKey.BagUserState key = states.get(in.readUInt32()).toBuilder().setKey(in.readBytes()).build();
        request.setStateKey(stateKey.setBagUserState(key));
        if (kind == GET) request.setGet(StateGetRequest.newBuilder().setContinuationToken(in.readBytes()));
        else if (kind == APPEND) request.setAppend(StateAppendRequest.newBuilder().setData(in.readBytes()));
        else if (kind == CLEAR) request.setClear(StateClearRequest.getDefaultInstance());
        else throw new IOException("Unknown kind of state request: " + kind);
        answers.add(handle(handler, request.build()));
      }
    } catch (IOException | RuntimeException e) {
      return CompletableFuture.completedFuture(failure(batch.getId(), e));
    }
    if (answers.stream().allMatch(CompletableFuture::isDone)) {
      return CompletableFuture.completedFuture(batchResponse(batch.getId(), answers));
    }
    return CompletableFuture.allOf(answers.toArray(new CompletableFuture<?>[0]))
        .handle((all, error) -> batchResponse(batch.getId(), answers));
  }

  /** All answers are there. */
  private static StateResponse batchResponse(String id, List<CompletableFuture<StateResponse.Builder>> answers) {
    ByteString.Output bytes = ByteString.newOutput();
    try {
      CodedOutputStream out = CodedOutputStream.newInstance(bytes);
      for (CompletableFuture<StateResponse.Builder> answer : answers) writeAnswer(out, answer);
      out.flush();
    } catch (IOException e) {
      return failure(id, e);
    }
    StateGetResponse get = StateGetResponse.newBuilder().setData(bytes.toByteString()).build();
    return StateResponse.newBuilder().setId(id).setGet(get).build();
  }

  private static void writeAnswer(CodedOutputStream out, CompletableFuture<StateResponse.Builder> answer)
      throws IOException {
    StateResponse.Builder response;
    try {
      response = answer.join();
    } catch (RuntimeException e) {
      out.write((byte) ERROR);
      out.writeStringNoTag(Throwables.getStackTraceAsString(e));
      return;
    }
    if (!response.getError().isEmpty()) {
      out.write((byte) ERROR);
      out.writeStringNoTag(response.getError());
    } else if (!response.hasGet()) {
      out.write((byte) DONE);
    } else {
      StateGetResponse get = response.getGet();
      boolean isPart = !get.getContinuationToken().isEmpty();
      out.write((byte) (isPart ? PART : DATA));
      out.writeBytesNoTag(get.getData());
      if (isPart) out.writeBytesNoTag(get.getContinuationToken());
    }
  }

  private static StateResponse failure(String id, Throwable error) {
    return StateResponse.newBuilder().setId(id).setError(Throwables.getStackTraceAsString(error)).build();
  }
}
