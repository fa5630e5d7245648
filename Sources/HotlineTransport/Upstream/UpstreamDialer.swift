import HotlineCore
import HotlineTLS
import NIOCore
import NIOPosix

/// Opens upstream connections: name, TCP (Happy Eyeballs, RFC 8305), TLS, upgrade.
///
/// Daemon loop.
package struct UpstreamDialer {
  private let eventLoop: any EventLoop

  /// What waits here unsent cannot be overtaken by a pong, so it is no more than two frames; the
  /// lower mark is one frame, so that the kernel never waits for us.
  private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(
    low: FrameEncoder.fragmentBytes, high: 2 * FrameEncoder.fragmentBytes)
  /// The same for the kernel: beyond what is on the wire it takes this much (tcp(7),
  /// TCP_NOTSENT_LOWAT), not the megabytes to which it would grow its buffer.
  private static let unsentBytesInKernelMax = 128 << 10
  /// How long sent data may stay unacknowledged before the connection counts as dead (tcp(7),
  /// TCP_USER_TIMEOUT); milliseconds.
  private static let userTimeout = 20_000

  /// `linux/tcp.h`; NIO has no names for these.
  private static let tcpUserTimeout = NIOBSDSocket.Option(rawValue: 18)
  private static let tcpNotSentLowWater = NIOBSDSocket.Option(rawValue: 25)

  package init(eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
  }

  /// Begins a dial. The handler may be used at once; what becomes of it is told to `delegate`, in
  /// the end always with one ``UpstreamHandlerDelegate/upstreamClosed(_:_:)``, never before this
  /// returns.
  package func dial(
    _ connection: ConnectionNumber, to endpoint: UpstreamEndpoint,
    options: UpstreamHandler.Options, delegate: any UpstreamHandlerDelegate
  ) -> UpstreamHandler {
    eventLoop.preconditionInEventLoop()
    let handler = UpstreamHandler(
      connection, endpoint: endpoint, options: options, eventLoop: eventLoop, delegate: delegate)
    handler.dialStarted()
    let address = endpoint.address
    bootstrap(options).connect(host: address.host, port: address.port).assumeIsolated()
      .whenComplete { result in
        switch result {
        case .success(let channel): handler.join(channel)
        case .failure(let error): handler.dialFailed(unreachable(address, error))
        }
      }
    return handler
  }

  private func bootstrap(_ options: UpstreamHandler.Options) -> ClientBootstrap {
    // Reading begins when the handlers are there. NIO's own timeout comes after ours and only
    // cleans up.
    ClientBootstrap(group: eventLoop)
      .connectTimeout(.nanoseconds(options.connectTimeout.wholeNanoseconds) + .seconds(1))
      .channelOption(.autoRead, value: false)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.tcpOption(Self.tcpUserTimeout), value: Self.userTimeout)
      .channelOption(.tcpOption(Self.tcpNotSentLowWater), value: Self.unsentBytesInKernelMax)
      .channelOption(.writeBufferWaterMark, value: Self.waterMark)
  }
}

extension UpstreamHandler {
  /// TCP is connected: the handlers join the channel, unless the dial has ended meanwhile.
  fileprivate func join(_ channel: any Channel) {
    guard phase == .dialing else {
      channel.close(promise: nil)
      return
    }
    let pipeline = channel.pipeline.syncOperations
    do {
      if let context = endpoint.tls {
        let engine = try TLSEngine(
          context: context, serverName: endpoint.address.host,
          port: UInt16(endpoint.address.port))
        try pipeline.addHandler(TLSHandler(engine: engine))
      }
      try pipeline.addHandler(self)
      try channel.syncOptions?.setOption(.autoRead, value: true)
    } catch {
      channel.close(promise: nil)
      dialFailed(
        ConnectionFailure(
          endpoint.tls == nil ? .lost : .tls, "\(endpoint.address): \(describe(error))"))
    }
  }
}

/// Names every attempt with its own error: "refused" on IPv6 and silence on IPv4 are two problems.
func unreachable(_ address: UpstreamAddress, _ error: any Error) -> ConnectionFailure {
  var causes: [String] = []
  if let error = error as? NIOConnectionError {
    causes += error.connectionErrors.map { attempt in
      let target = attempt.target
      let shown = target.ipAddress.map { "\($0) port \(target.port ?? 0)" } ?? "\(target)"
      return "\(shown): \(describe(attempt.error))"
    }
    let lookups = [error.dnsAError, error.dnsAAAAError].compactMap { $0.map(describe) }
    for lookup in lookups where !causes.contains("no address: \(lookup)") {
      causes.append("no address: \(lookup)")
    }
  } else {
    causes = [describe(error)]
  }
  let detail = causes.isEmpty ? "no address" : causes.joined(separator: "; ")
  return ConnectionFailure(.unreachable, "cannot connect to \(address): \(detail)")
}
