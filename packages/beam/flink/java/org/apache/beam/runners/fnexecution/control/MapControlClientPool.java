/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.fnexecution.control;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Replaces the class of the same name in Beam 2.70. Beam's runners repeat a wait for a worker that has not connected in time,
 * forever, also when the worker has died before it connected. This class fails the wait, so that the runner starts the job,
 * and a worker, again. Checkpoints cannot expire meanwhile, because Flink takes none before all tasks run.
 */
public class MapControlClientPool implements ControlClientPool {
  private final Map<String, CompletableFuture<InstructionRequestHandler>> clients = new ConcurrentHashMap<>();

  public static MapControlClientPool create() {
    return new MapControlClientPool();
  }

  private MapControlClientPool() {}

  @Override
  public Source getSource() {
    return this::take;
  }

  @Override
  public Sink getSink() {
    return this::put;
  }

  private CompletableFuture<InstructionRequestHandler> client(String workerId) {
    return clients.computeIfAbsent(workerId, id -> new CompletableFuture<>());
  }

  private void put(String workerId, InstructionRequestHandler client) {
    if (!client(workerId).complete(client)) {
      throw new IllegalStateException("Worker " + workerId + " has connected twice");
    }
  }

  private InstructionRequestHandler take(String workerId, Duration timeout)
      throws ExecutionException, InterruptedException {
    try {
      return client(workerId).get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "Worker " + workerId + " has not connected within " + timeout.toSeconds() + " s", e);
    } finally {
      clients.remove(workerId);
    }
  }
}
