import NIOCore
import NIOPosix

/// Accepts local connections on Unix sockets that somebody else has bound.
package enum LocalListener {
  /// Serves a bound socket, whose descriptor it takes over.
  ///
  /// - Parameters:
  ///   - descriptor: a bound `SOCK_STREAM` Unix socket, passed by systemd or made by the daemon.
  ///   - loop: the daemon loop, on which everything runs.
  ///   - backlog: connections that may wait to be accepted; NIO calls listen(2) once more.
  ///   - makeClient: called on the loop for each connection with its descriptor.
  package static func serve(
    descriptor: CInt, on loop: any EventLoop, backlog: Int32,
    makeClient: @escaping @Sendable (_ descriptor: CInt) -> ClientHandler
  ) -> EventLoopFuture<any Channel> {
    ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: backlog)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try setOptions(of: channel)
          let pipeline = channel.pipeline.syncOperations
          let descriptor = try pipeline.descriptor()
          try pipeline.addHandler(makeClient(descriptor))
        }
      }
      .withBoundSocket(descriptor)
  }

  /// Here, not as the bootstrap's child options: those take a future each, and every client pays.
  private static func setOptions(of channel: any Channel) throws {
    guard let options = channel.syncOptions else {
      preconditionFailure("a socket's channel has no synchronous options")
    }
    // Half-close is how a client says that it has asked everything.
    try options.setOption(.allowRemoteHalfClosure, value: true)
    try options.setOption(.recvAllocator, value: receiveSizes)
    // NIO keeps that many buffers for each channel, idle ones too.
    try options.setOption(.maxMessagesPerRead, value: 1)
  }

  private static let receiveSizes: any RecvByteBufferAllocator & Sendable =
    AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 4096, maximum: 64 << 10)
}

extension ChannelPipeline.SynchronousOperations {
  fileprivate func descriptor() throws -> CInt {
    let descriptor = try withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
    return descriptor ?? -1
  }
}
