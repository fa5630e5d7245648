import HotlineCore
import NIOCore
import NIOPosix

/// Opens upstream connections: name, TCP, a proxy's tunnel, TLS, upgrade.
///
/// Daemon loop.
package struct UpstreamDialer {
  private let eventLoop: any EventLoop
  let lookups: PendingLookups

  /// What waits here unsent cannot be overtaken by a pong, so it is no more than two frames; the
  /// lower mark is one frame, so that the kernel never waits for us.
  private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(
    low: FrameEncoder.fragmentBytes, high: 2 * FrameEncoder.fragmentBytes)

  /// - Parameter lookup: is called on threads that it may block.
  package init(
    eventLoop: any EventLoop, lookup: @escaping NameLookup.Function = NameLookup.addresses
  ) {
    self.eventLoop = eventLoop
    lookups = PendingLookups(eventLoop: eventLoop, lookup: lookup)
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
    let dial = UpstreamDial(
      handler, lookups: lookups, bootstrap: { [eventLoop] in Self.bootstrap(eventLoop, options) })
    handler.dial = dial
    dial.start()
    return handler
  }

  private static func bootstrap(
    _ eventLoop: any EventLoop, _ options: UpstreamHandler.Options
  ) -> ClientBootstrap {
    // Reading begins when the handlers are there. NIO's own timeout comes after ours and only
    // cleans up.
    var bootstrap = ClientBootstrap(group: eventLoop)
      .connectTimeout(.nanoseconds(options.connectTimeout.wholeNanoseconds) + .seconds(1))
      .channelOption(.autoRead, value: false)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.writeBufferWaterMark, value: Self.waterMark)
    for (option, value) in TCPOptions.all {
      bootstrap = bootstrap.channelOption(.tcpOption(option), value: value)
    }
    return bootstrap
  }
}

/// Options of tcp(7) that every upstream connection has. NIO has no names for most of them.
enum TCPOptions {
  /// Frames are written whole, so there is nothing to wait for.
  static let noDelay = NIOBSDSocket.Option(rawValue: 1)
  static let keepaliveIdle = NIOBSDSocket.Option(rawValue: 4)
  static let keepaliveInterval = NIOBSDSocket.Option(rawValue: 5)
  static let keepaliveCount = NIOBSDSocket.Option(rawValue: 6)
  /// Milliseconds.
  static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
  /// Bytes.
  static let notSentLowWater = NIOBSDSocket.Option(rawValue: 25)

  /// A peer that vanished is known 20 s after data was sent that it never acknowledged. One that
  /// takes no byte for 20 s while some wait counts as vanished too, though its kernel answers
  /// (tcp(7), TCP_USER_TIMEOUT): no option tells the two apart, a server that does not read
  /// answers no ping either, and what it has not taken can still go to another connection.
  ///
  /// Keepalive is the net below our own pings: probes after 30 s of silence, three of them 10 s
  /// apart. Beyond what is on the wire the kernel takes 128 KiB, not the megabytes to which it
  /// would grow its buffer.
  static let all: [(NIOBSDSocket.Option, Int)] = [
    (noDelay, 1), (userTimeout, 20_000), (keepaliveIdle, 30), (keepaliveInterval, 10),
    (keepaliveCount, 3), (notSentLowWater, 128 << 10),
  ]
}
