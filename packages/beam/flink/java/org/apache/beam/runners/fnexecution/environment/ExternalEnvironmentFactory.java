/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.runners.fnexecution.environment;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StartWorkerRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StartWorkerResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StopWorkerRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StopWorkerResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnExternalWorkerPoolGrpc;
import org.apache.beam.model.pipeline.v1.Endpoints.ApiServiceDescriptor;
import org.apache.beam.model.pipeline.v1.RunnerApi.Environment;
import org.apache.beam.model.pipeline.v1.RunnerApi.ExternalPayload;
import org.apache.beam.runners.fnexecution.artifact.ArtifactRetrievalService;
import org.apache.beam.runners.fnexecution.control.ControlClientPool;
import org.apache.beam.runners.fnexecution.control.FnApiControlClientPoolService;
import org.apache.beam.runners.fnexecution.control.InstructionRequestHandler;
import org.apache.beam.runners.fnexecution.logging.GrpcLoggingService;
import org.apache.beam.runners.fnexecution.provisioning.StaticGrpcProvisionService;
import org.apache.beam.sdk.fn.IdGenerator;
import org.apache.beam.sdk.fn.channel.ManagedChannelFactory;
import org.apache.beam.sdk.fn.server.GrpcFnServer;
import org.apache.beam.sdk.fn.server.ServerFactory;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.BindableService;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ManagedChannel;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.StatusRuntimeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Replaces the class of the same name in Beam 2.70, with which every TaskManager must use the same address of its worker pool,
 * and which stops workers by ids that are unique within one job and one JVM only. When a task is cancelled while its worker
 * starts, Beam forgets the worker and the servers that it connects to: both live as long as the TaskManager. This class stops
 * them.
 *
 * <p>Workers of this library are started by the pool that the environment variable {@code BEAM_WORKER_POOL} of the TaskManager
 * names ({@code host:port}), so that TaskManagers on one machine have pools of their own; without it, by the pool that the
 * pipeline names. Each start has an id of its own, by which its worker is stopped.
 */
public class ExternalEnvironmentFactory implements EnvironmentFactory {
  /** Only pipelines of this library have this parameter. The pools of other languages are not replaced. */
  private static final String JOB_PARAMETER = "job";

  private static final String START_PARAMETER = "start";
  private static final String OWN_POOL = System.getenv("BEAM_WORKER_POOL");
  private static final Duration CONNECT_LIMIT = Duration.ofMinutes(2);
  /** For each step of the end of a start that has failed. */
  private static final long ABANDON_LIMIT_S = 5;

  private static final Logger LOG = LoggerFactory.getLogger(ExternalEnvironmentFactory.class);

  private final GrpcFnServer<FnApiControlClientPoolService> control;
  private final GrpcFnServer<GrpcLoggingService> logging;
  private final GrpcFnServer<ArtifactRetrievalService> artifacts;
  private final GrpcFnServer<StaticGrpcProvisionService> provisioning;
  private final ControlClientPool.Source clients;
  /** All servers of the environment. */
  private final ServersOfEnvironment servers;

  private ExternalEnvironmentFactory(
      GrpcFnServer<FnApiControlClientPoolService> control,
      GrpcFnServer<GrpcLoggingService> logging,
      GrpcFnServer<ArtifactRetrievalService> artifacts,
      GrpcFnServer<StaticGrpcProvisionService> provisioning,
      ControlClientPool.Source clients,
      ServersOfEnvironment servers) {
    this.control = control;
    this.logging = logging;
    this.artifacts = artifacts;
    this.provisioning = provisioning;
    this.clients = clients;
    this.servers = servers;
  }

  /** Starts a worker, and waits until it has connected. When that fails, nothing of it is left. */
  @Override
  public RemoteEnvironment createEnvironment(Environment environment, String workerId) throws Exception {
    ExternalPayload payload = ExternalPayload.parseFrom(environment.getPayload());
    boolean ofThisLibrary = payload.containsParams(JOB_PARAMETER);
    String startId = ofThisLibrary ? UUID.randomUUID().toString() : workerId;
    StartWorkerRequest.Builder request =
        StartWorkerRequest.newBuilder()
            .setWorkerId(workerId)
            .setControlEndpoint(control.getApiServiceDescriptor())
            .setLoggingEndpoint(logging.getApiServiceDescriptor())
            .setArtifactEndpoint(artifacts.getApiServiceDescriptor())
            .setProvisionEndpoint(provisioning.getApiServiceDescriptor())
            .putAllParams(payload.getParamsMap());
    if (ofThisLibrary) request.putParams(START_PARAMETER, startId);
    boolean hasOwnPool = ofThisLibrary && OWN_POOL != null && !OWN_POOL.isEmpty();
    ApiServiceDescriptor pool =
        hasOwnPool ? ApiServiceDescriptor.newBuilder().setUrl(OWN_POOL).build() : payload.getEndpoint();
    ManagedChannel channel = ManagedChannelFactory.createDefault().forDescriptor(pool);
    try {
      StartWorkerResponse response = BeamFnExternalWorkerPoolGrpc.newBlockingStub(channel).startWorker(request.build());
      if (!response.getError().isEmpty()) {
        throw new IllegalStateException("The worker pool " + pool.getUrl() + " started no worker: " + response.getError());
      }
      return new Worker(environment, startId, clients.take(workerId, CONNECT_LIMIT), channel);
    } catch (Exception e) {
      abandon(startId, channel, e instanceof InterruptedException);
      throw e;
    }
  }

  /** Stops a worker that was requested, and the servers that it was to connect to. */
  private void abandon(String startId, ManagedChannel channel, boolean wasInterrupted) {
    // The calls below would fail at once in a thread that is interrupted.
    boolean isInterrupted = Thread.interrupted() || wasInterrupted;
    try {
      BeamFnExternalWorkerPoolGrpc.newBlockingStub(channel)
          .withDeadlineAfter(ABANDON_LIMIT_S, TimeUnit.SECONDS)
          .stopWorker(StopWorkerRequest.newBuilder().setWorkerId(startId).build());
    } catch (StatusRuntimeException e) {
      LOG.warn("Could not stop worker {}, which has not started: it ends when it loses its runner", startId, e);
    } finally {
      channel.shutdownNow();
      isInterrupted |= servers.shutDown();
      if (isInterrupted) Thread.currentThread().interrupt();
    }
  }

  private static final class Worker implements RemoteEnvironment {
    private final Environment environment;
    private final String startId;
    private final InstructionRequestHandler client;
    private final ManagedChannel channel;

    Worker(Environment environment, String startId, InstructionRequestHandler client, ManagedChannel channel) {
      this.environment = environment;
      this.startId = startId;
      this.client = client;
      this.channel = channel;
    }

    @Override
    public Environment getEnvironment() {
      return environment;
    }

    @Override
    public InstructionRequestHandler getInstructionRequestHandler() {
      return client;
    }

    @Override
    public void close() throws Exception {
      try {
        client.close();
        StopWorkerResponse response =
            BeamFnExternalWorkerPoolGrpc.newBlockingStub(channel)
                .stopWorker(StopWorkerRequest.newBuilder().setWorkerId(startId).build());
        if (!response.getError().isEmpty()) throw new IllegalStateException(response.getError());
      } finally {
        channel.shutdown();
        if (!channel.awaitTermination(10, TimeUnit.SECONDS)) channel.shutdownNow();
      }
    }
  }

  /** Remembers the servers that are created for one environment. */
  private static final class ServersOfEnvironment extends ServerFactory {
    private final ServerFactory servers = ServerFactory.createDefault();
    private final List<Server> created = new ArrayList<>();

    @Override
    public Server allocateAddressAndCreate(List<BindableService> services, ApiServiceDescriptor.Builder descriptor)
        throws IOException {
      Server server = servers.allocateAddressAndCreate(services, descriptor);
      created.add(server);
      return server;
    }

    @Override
    public Server create(List<BindableService> services, ApiServiceDescriptor descriptor) throws IOException {
      Server server = servers.create(services, descriptor);
      created.add(server);
      return server;
    }

    /** Ends all servers and their calls. @return whether the thread was interrupted meanwhile */
    boolean shutDown() {
      for (Server server : created) server.shutdownNow();
      try {
        for (Server server : created) server.awaitTermination(ABANDON_LIMIT_S, TimeUnit.SECONDS);
        return false;
      } catch (InterruptedException e) {
        return true;
      }
    }
  }

  /** Creates the factories of a job. */
  public static class Provider implements EnvironmentFactory.Provider {
    /** Beam asks for the server factory, creates the servers, and asks for the environment factory, on one thread. */
    private final ThreadLocal<ServersOfEnvironment> servers = new ThreadLocal<>();

    @Override
    public EnvironmentFactory createEnvironmentFactory(
        GrpcFnServer<FnApiControlClientPoolService> control,
        GrpcFnServer<GrpcLoggingService> logging,
        GrpcFnServer<ArtifactRetrievalService> artifacts,
        GrpcFnServer<StaticGrpcProvisionService> provisioning,
        ControlClientPool clientPool,
        IdGenerator ids) {
      ServersOfEnvironment created = servers.get();
      servers.remove();
      return new ExternalEnvironmentFactory(
          control, logging, artifacts, provisioning, clientPool.getSource(), created);
    }

    @Override
    public ServerFactory getServerFactory() {
      servers.set(new ServersOfEnvironment());
      return servers.get();
    }
  }
}
