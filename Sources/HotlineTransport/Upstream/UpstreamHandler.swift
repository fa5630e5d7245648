import HotlineCore
import HotlineDeflate
import HotlineTLS
import NIOCore

/// One upstream connection as messages: upgrade, frames, pings, close handshake.
///
/// Last in the pipeline; plaintext comes in and goes out. It exists from the moment of the dial, so
/// that a dial in progress can be dropped, and joins a pipeline once TCP is connected. Confined to
/// its event loop, the daemon loop.
package final class UpstreamHandler: ChannelInboundHandler {
  package typealias InboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  /// Limits of one connection beyond those of the configuration.
  package struct Options: Hashable, Sendable {
    /// Bytes of one message from the server.
    package var eventBytesMax = UpstreamLimits().eventBytesMax
    /// Name resolution, TCP, TLS and upgrade together.
    package var connectTimeout = UpstreamLimits().connectTimeout
    /// Wait for the server's close frame, and for ours to be written.
    package var closeTimeout: Duration = .seconds(2)
    /// Bytes that are still taken in, unread, while the server is to read our close frame.
    package var lingerBytesMax = 8 << 20
    /// Bytes written before the loop turns to its other connections.
    package var turnBytesMax = 256 << 10
    /// Pongs written although the channel is full; beyond these only the newest is kept.
    package var pongsMaxWhileFull = 16
    /// Pings of ours whose pongs are waited for; the oldest is forgotten.
    package var pingsUnansweredMax = 16
    package var upgrade = UpgradeLimits()
    /// Offers the server to compress messages, both ways.
    package var offersDeflate = true

    package init() {}
  }

  enum Phase {
    /// Name resolution and TCP. Next: `.securing`, `.upgrading`.
    case dialing
    /// TLS handshake. Next: `.upgrading`.
    case securing
    /// The request has been sent. Next: `.open`, `.refused`.
    case upgrading
    /// Another status than 101 came; its body is waited for. Next: `.closed`.
    case refused
    /// Messages flow. Next: `.closing` when we close first, else `.closed`.
    case open
    /// Our close frame is out, the server's is waited for. Next: `.closed`.
    case closing
    /// The delegate has been told; the channel may live on until our close frame is written.
    case closed
  }

  package let connection: ConnectionNumber
  let endpoint: UpstreamEndpoint
  let options: Options
  let eventLoop: any EventLoop
  /// Held until the end has been reported.
  var delegate: (any UpstreamHandlerDelegate)?
  var phase = Phase.dialing
  /// What happens in `.dialing`.
  var dial: UpstreamDial?
  package internal(set) var times = DialTimes()
  /// The server's or its proxy's, once TCP has connected: `192.0.2.1 port 443`.
  package internal(set) var peerAddress: String?
  var context: ChannelHandlerContext?
  /// The one timer: for the connection to open, a refusal's body, or the close handshake.
  var deadline: Scheduled<Void>?

  var encoder: FrameEncoder
  var decoder: FrameDecoder
  /// `nil` unless compression was agreed on; then each for its direction.
  var inflater: MessageInflater?
  var deflater: MessageDeflater?
  var zlibMemory: ZlibMemory?
  var bytesSavedAtEnd: Int?
  var exchange: UpgradeExchange?
  package internal(set) var handshake: TLSHandshakeCompleted?
  /// Why we are closing, from `.closing` on.
  var localFailure = ConnectionFailure(.local, "closed by the daemon")

  /// Between a read and its completion: what is written waits for one common flush.
  var isReading = false
  /// The delegate is owed ``UpstreamHandlerDelegate/upstreamReadCompleted(_:)``.
  var hasHeard = false

  /// Messages of which the last byte has not been written; only the first may have begun.
  var queue = CircularBuffer<MessageCursor>()
  var isPumping = false
  var isPumpScheduled = false
  var unflushedBytes = 0
  var pongsWhileFull = 0
  var pendingPong: ByteBuffer?
  var pingsUnanswered: [UInt64] = []

  package init(
    _ connection: ConnectionNumber, endpoint: UpstreamEndpoint, options: Options,
    eventLoop: any EventLoop, delegate: any UpstreamHandlerDelegate,
    keys: MaskingKeys = MaskingKeys()
  ) {
    self.connection = connection
    self.endpoint = endpoint
    self.options = options
    self.eventLoop = eventLoop
    self.delegate = delegate
    self.encoder = FrameEncoder(keys: keys)
    self.decoder = FrameDecoder(messageBytesMax: options.eventBytesMax)
  }

  // MARK: Channel

  package func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { tcpConnected() }
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    streamEnded(nil)
    deadline?.cancel()
    deadline = nil
    self.context = nil
  }

  package func channelActive(context: ChannelHandlerContext) {
    tcpConnected()
    context.fireChannelActive()
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let completed = event as? TLSHandshakeCompleted {
      tlsCompleted(completed)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var input = unwrapInboundIn(data)
    isReading = true
    switch phase {
    case .open, .closing: readFrames(&input)
    case .upgrading, .refused: readUpgrade(&input)
    case .dialing, .securing, .closed: break
    }
  }

  package func channelReadComplete(context: ChannelHandlerContext) {
    reportReadCompleted()
    isReading = false
    flush()
  }

  package func channelWritabilityChanged(context: ChannelHandlerContext) {
    pump()
    context.fireChannelWritabilityChanged()
  }

  package func channelInactive(context: ChannelHandlerContext) {
    streamEnded(nil)
    context.fireChannelInactive()
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    streamEnded(error)
    closeChannel()
  }

  /// Bytes of a message that is not complete yet.
  package var bytesHeld: Int { decoder.bytesHeld }

  /// What compression has kept off the wire, both ways together; negative where messages do not
  /// compress. `nil` unless compression was agreed on.
  package var bytesSaved: Int? {
    guard let inflater else { return bytesSavedAtEnd }
    let sent = deflater.map { $0.bytesTaken - $0.bytesGiven } ?? 0
    return inflater.bytesGiven - inflater.bytesTaken + sent
  }

  /// Reads no more from the server until ``resumeReading()``: it is held up by TCP, pings and all.
  package func pauseReading() {
    try? context?.channel.syncOptions?.setOption(.autoRead, value: false)
  }

  package func resumeReading() {
    try? context?.channel.syncOptions?.setOption(.autoRead, value: true)
  }

  // MARK: Timer

  func arm(_ duration: Duration) {
    deadline?.cancel()
    deadline = eventLoop.assumeIsolated().scheduleTask(
      in: .nanoseconds(duration.wholeNanoseconds)
    ) { [weak self] in self?.deadlineReached() }
  }

  private func deadlineReached() {
    switch phase {
    case .dialing, .securing, .upgrading: connectTimedOut()
    case .refused: refusalEnded()
    case .open: break
    case .closing:
      finish(localFailure)
      closeChannel()
    case .closed: closeChannel()
    }
  }
}
