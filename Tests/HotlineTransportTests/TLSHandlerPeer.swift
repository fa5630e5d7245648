import HotlineTLS
import HotlineTransport
import NIOCore
import NIOEmbedded
import TestSupport

/// An embedded channel with a ``TLSHandler`` in it, and the server at its other end.
final class TLSHandlerPeer {
  static let authority = TLSTestAuthority()
  static let identity = authority.issue("DNS:api.example.com")

  let channel: EmbeddedChannel
  let server: TLSTestServer
  let recorder = TLSEventRecorder()
  let outbound = TLSOutboundCounter()

  init(
    serverName: String = "api.example.com", isConnected: Bool = true, isAutoRead: Bool = true,
    pendingBytesMax: Int = 1 << 20
  ) throws {
    server = TLSTestServer(TLSTestServerContext(Self.identity))
    let context = try TLSContext(trust: .caFile(Self.authority.file))
    let engine = try TLSEngine(context: context, serverName: serverName, port: 443)
    channel = EmbeddedChannel()
    if !isAutoRead { try channel.syncOptions?.setOption(.autoRead, value: false) }
    if isConnected { try connect() }
    try channel.pipeline.syncOperations.addHandlers([
      outbound, TLSHandler(engine: engine, pendingBytesMax: pendingBytesMax), recorder,
    ])
  }

  deinit {
    _ = try? channel.finish(acceptAlreadyClosed: true)
  }

  /// A peer whose handshake is done, with an empty record of events.
  static func opened() throws -> TLSHandlerPeer {
    let peer = try TLSHandlerPeer()
    peer.run()
    precondition(peer.server.isHandshakeDone, "no handshake: \(peer.recorder.events)")
    peer.recorder.events = []
    return peer
  }

  func connect() throws {
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/test")).wait()
  }

  /// One write's promise, looked at from outside.
  final class Outcome {
    fileprivate(set) var isDone = false
    fileprivate(set) var error: (any Error)?
  }

  func write(_ bytes: [UInt8]) -> Outcome {
    let outcome = Outcome()
    let promise = channel.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { result in
      switch result {
      case .success: outcome.isDone = true
      case .failure(let error): outcome.error = error
      }
    }
    channel.pipeline.syncOperations.write(NIOAny(ByteBuffer(bytes: bytes)), promise: promise)
    return outcome
  }

  func takeOutbound() -> [[UInt8]] {
    var buffers: [[UInt8]] = []
    while let buffer = try? channel.readOutbound(as: ByteBuffer.self) {
      buffers.append(Array(buffer.readableBytesView))
    }
    return buffers
  }

  /// One read of the socket.
  func deliver(_ bytes: [UInt8]) {
    channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
    channel.pipeline.fireChannelReadComplete()
  }

  /// Carries bytes both ways until neither side has any.
  func run() {
    while true {
      let up = takeOutbound()
      up.forEach(server.receive)
      let down = server.takeOutput()
      if up.isEmpty, down.isEmpty { return }
      if !down.isEmpty { deliver(down) }
    }
  }
}

/// Stands behind the handler under test.
final class TLSEventRecorder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  enum Event: Equatable {
    case active, readComplete, inactive
    case handshake(String)
    case read([UInt8])
    case error(TLSError.Kind)
  }

  var events: [Event] = []
  var errors: [TLSError] = []
  var buffers: [ByteBuffer] = []
  var onHandshake: ((ChannelHandlerContext) -> Void)?
  var onRead: ((ChannelHandlerContext) -> Void)?

  func channelActive(context: ChannelHandlerContext) { events.append(.active) }

  func channelInactive(context: ChannelHandlerContext) { events.append(.inactive) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    events.append(.read(Array(buffer.readableBytesView)))
    buffers.append(buffer)
    onRead?(context)
  }

  func channelReadComplete(context: ChannelHandlerContext) { events.append(.readComplete) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard let handshake = event as? TLSHandshakeCompleted else { return }
    events.append(.handshake(handshake.version))
    onHandshake?(context)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? TLSError else { return }
    errors.append(error)
    events.append(.error(error.kind))
  }
}

/// Stands between the channel and the handler under test.
final class TLSOutboundCounter: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer

  var reads = 0
  var writtenBytes = 0

  func read(context: ChannelHandlerContext) {
    reads += 1
    context.read()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    writtenBytes += unwrapOutboundIn(data).readableBytes
    context.write(data, promise: promise)
  }
}
