import Glibc
import HotlineCore
import NIOCore

/// Opens upstream connections: name, TCP, a proxy's tunnel, TLS, upgrade.
///
/// Daemon loop.
package struct UpstreamDialer {
  private let eventLoop: EpollLoop
  let lookups: PendingLookups

  /// What waits here unsent cannot be overtaken by a pong, so it is no more than two frames; the
  /// lower mark is one frame, so that the kernel never waits for us.
  private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(
    low: FrameEncoder.fragmentBytes, high: 2 * FrameEncoder.fragmentBytes)

  /// - Parameter lookup: is called on threads that it may block.
  package init(
    eventLoop: EpollLoop, lookup: @escaping NameLookup.Function = NameLookup.addresses
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
      handler, lookups: lookups,
      makeChannel: { [eventLoop] address throws(IOError) in
        try Self.channel(for: address, on: eventLoop)
      })
    handler.dial = dial
    dial.start()
    return handler
  }

  /// Reading begins when the handlers are there.
  private static func channel(
    for address: SocketAddress, on loop: EpollLoop
  ) throws(IOError) -> StreamChannel {
    let descriptor: CInt
    switch SystemCalls.streamSocket(address.protocol.rawValue) {
    case .done(let made): descriptor = CInt(made)
    case .failed(let number): throw IOError(errnoCode: number, reason: "socket")
    case .wouldBlock: throw IOError(errnoCode: EAGAIN, reason: "socket")
    }
    if address.protocol != .unix {
      for (option, value) in TCPOptions.all {
        _ = SystemCalls.set(option, of: CInt(IPPROTO_TCP), to: value, on: descriptor)
      }
      _ = SystemCalls.set(SO_KEEPALIVE, of: SOL_SOCKET, to: 1, on: descriptor)
    }
    let channel = StreamChannel(descriptor, on: loop)
    channel.prepareForUpstream(waterMark: waterMark)
    return channel
  }
}

/// Options of tcp(7) that every upstream connection has.
enum TCPOptions {
  /// A peer that vanished is known 20 s after data was sent that it never acknowledged. One that
  /// takes no byte for 20 s while some wait counts as vanished too, though its kernel answers
  /// (tcp(7), TCP_USER_TIMEOUT): no option tells the two apart, a server that does not read
  /// answers no ping either, and what it has not taken can still go to another connection.
  ///
  /// Keepalive is the net below our own pings: probes after 30 s of silence, three of them 10 s
  /// apart. Beyond what is on the wire the kernel takes 128 KiB, not the megabytes to which it
  /// would grow its buffer.
  static let all: [(CInt, CInt)] = [
    // Frames are written whole, so there is nothing to wait for.
    (TCP_NODELAY, 1), (TCP_USER_TIMEOUT, 20_000), (TCP_KEEPIDLE, 30), (TCP_KEEPINTVL, 10),
    (TCP_KEEPCNT, 3), (TCP_NOTSENT_LOWAT, 128 << 10),
  ]
}
