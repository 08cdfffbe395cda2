/*
 * Licensed under the Apache License, Version 2.0; see LICENSE. Not copied from Apache Beam: a new implementation of the
 * interface of the class of the same name in Apache Beam 2.70.0.
 */
package org.apache.beam.sdk.fn.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.beam.model.pipeline.v1.Endpoints.ApiServiceDescriptor;
import org.apache.beam.sdk.fn.channel.SocketAddressFactory;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.BindableService;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Metadata;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerCall;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerCallHandler;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerInterceptor;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerInterceptors;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Status;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.netty.NettyServerBuilder;

/**
 * Replaces the class of the same name in Beam 2.70, whose servers announce a loopback address but listen on every network
 * interface. None of them requires credentials: one serves any file that this user can read, and another runs any
 * command. A server of this class listens only on the address that it announces, and demands the access token in the
 * environment variable {@code BEAM_ACCESS_TOKEN}, or in the file that {@code BEAM_ACCESS_TOKEN_FILE} names, if there is
 * one. It serves no files: {@code GetArtifact} is refused, because workers of an external environment fetch none.
 *
 * <p>The methods for Unix domain sockets and epoll are missing, because nothing calls them.
 */
public abstract class ServerFactory {

  /** Creates the URL for clients from the address and port of a server. */
  @FunctionalInterface
  public interface UrlFactory {
    String createUrl(String address, int port);

    static UrlFactory createDefault() {
      return (address, port) -> address + ":" + port;
    }
  }

  public static ServerFactory createDefault() {
    return createWithUrlFactory(UrlFactory.createDefault());
  }

  public static ServerFactory createWithUrlFactory(UrlFactory urls) {
    return createWithUrlFactoryAndPortSupplier(urls, () -> 0);
  }

  public static ServerFactory createWithPortSupplier(Supplier<Integer> ports) {
    return createWithUrlFactoryAndPortSupplier(UrlFactory.createDefault(), ports);
  }

  public static ServerFactory createWithUrlFactoryAndPortSupplier(UrlFactory urls, Supplier<Integer> ports) {
    return new SingleAddressServerFactory(urls, ports);
  }

  /** Starts a server on a loopback port and writes its URL to {@code descriptor}. */
  public abstract Server allocateAddressAndCreate(
      List<BindableService> services, ApiServiceDescriptor.Builder descriptor) throws IOException;

  /** Starts a server on the address of {@code descriptor}. */
  public abstract Server create(List<BindableService> services, ApiServiceDescriptor descriptor) throws IOException;

  /** Refuses requests for files of this machine, which other users of the machine could send. */
  private static final class NoArtifacts implements ServerInterceptor {
    private static final String GET_ARTIFACT = "ArtifactRetrievalService/GetArtifact";

    @Override
    public <A, B> ServerCall.Listener<A> interceptCall(
        ServerCall<A, B> call, Metadata headers, ServerCallHandler<A, B> next) {
      if (!call.getMethodDescriptor().getFullMethodName().endsWith(GET_ARTIFACT)) return next.startCall(call, headers);
      call.close(Status.PERMISSION_DENIED.withDescription("This server serves no files"), new Metadata());
      return new ServerCall.Listener<A>() {};
    }
  }

  /** Binds one address, never the wildcard unless a descriptor names it. */
  private static final class SingleAddressServerFactory extends ServerFactory {
    /** Not "localhost": that may resolve to ::1 as well, where nothing listens. */
    private static final String LOOPBACK = "127.0.0.1";

    /** Clients may send keep-alive pings this often; seconds, as in Beam. */
    private static final int KEEP_ALIVE_S = 20;

    private final UrlFactory urls;
    private final Supplier<Integer> ports;

    private SingleAddressServerFactory(UrlFactory urls, Supplier<Integer> ports) {
      this.urls = urls;
      this.ports = ports;
    }

    @Override
    public Server allocateAddressAndCreate(List<BindableService> services, ApiServiceDescriptor.Builder descriptor)
        throws IOException {
      Server server = start(services, new InetSocketAddress(InetAddress.getByName(LOOPBACK), ports.get()));
      descriptor.setUrl(urls.createUrl(LOOPBACK, server.getPort()));
      return server;
    }

    @Override
    public Server create(List<BindableService> services, ApiServiceDescriptor descriptor) throws IOException {
      SocketAddress address = SocketAddressFactory.createFrom(descriptor.getUrl());
      if (!(address instanceof InetSocketAddress)) {
        throw new IllegalArgumentException("Not host:port: " + descriptor.getUrl());
      }
      return start(services, address);
    }

    private static Server start(List<BindableService> services, SocketAddress address) throws IOException {
      NettyServerBuilder builder =
          NettyServerBuilder.forAddress(address)
              // Beam limits the size of its messages itself.
              .maxInboundMessageSize(Integer.MAX_VALUE)
              .permitKeepAliveTime(KEEP_ALIVE_S, TimeUnit.SECONDS);
      for (BindableService service : services) {
        // The services read the id of the calling worker from the headers.
        builder.addService(
            ServerInterceptors.intercept(
                service, GrpcContextHeaderAccessorProvider.interceptor(), new NoArtifacts()));
      }
      if (ACCESS_TOKEN != null && !ACCESS_TOKEN.isEmpty()) builder.intercept(new TokenCheck(ACCESS_TOKEN));
      return builder.build().start();
    }
  }

  /** The secret that each call must carry; null: none. */
  private static final String ACCESS_TOKEN = readAccessToken();

  private static String readAccessToken() {
    String file = System.getenv("BEAM_ACCESS_TOKEN_FILE");
    if (file == null || file.isEmpty()) return System.getenv("BEAM_ACCESS_TOKEN");
    try {
      return Files.readString(Path.of(file)).trim();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read the file of BEAM_ACCESS_TOKEN_FILE", e);
    }
  }

  /** Rejects calls without the access token of the run. */
  private static final class TokenCheck implements ServerInterceptor {
    private static final Metadata.Key<String> HEADER =
        Metadata.Key.of("x-beam-access-token", Metadata.ASCII_STRING_MARSHALLER);

    private final byte[] token;

    private TokenCheck(String token) {
      this.token = token.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
        ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
      String presented = headers.get(HEADER);
      if (presented != null && MessageDigest.isEqual(presented.getBytes(StandardCharsets.UTF_8), token)) {
        return next.startCall(call, headers);
      }
      call.close(
          Status.UNAUTHENTICATED.withDescription("The access token of the run is missing or wrong"), new Metadata());
      return new ServerCall.Listener<ReqT>() {};
    }
  }
}
