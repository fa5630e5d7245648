import HotlineCore
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import HotlineTransport

/// Notes every call, and may act within it.
final class RecordingDelegate: UpstreamHandlerDelegate {
  enum Call: Equatable {
    case opened
    case text(String)
    case binary([UInt8])
    case pong(UInt64)
    case readCompleted
    case handedOver(UInt64)
    case closed(ConnectionFailure.Kind)
  }

  var calls: [Call] = []
  var failure: ConnectionFailure?
  var facts: UpgradeFacts?
  var onCall: ((Call) -> Void)?

  private func note(_ call: Call) {
    calls.append(call)
    onCall?(call)
  }

  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts) {
    self.facts = facts
    note(.opened)
  }

  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool
  ) {
    note(isBinary ? .binary(Array(message)) : .text(String(decoding: message, as: UTF8.self)))
  }

  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64) { note(.pong(pingID)) }
  func upstreamReadCompleted(_ connection: ConnectionNumber) { note(.readCompleted) }
  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64) {
    note(.handedOver(token))
  }

  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure) {
    self.failure = failure
    note(.closed(failure.kind))
  }
}

/// A handler in an embedded channel, with a server in the test's hands.
final class UpstreamRig {
  static let key = "sk-test-0123456789abcdef"
  let channel = EmbeddedChannel()
  let delegate = RecordingDelegate()
  let handler: UpstreamHandler
  private let oracle: OracleDecoder

  var loop: EmbeddedEventLoop { channel.embeddedEventLoop }
  var calls: [RecordingDelegate.Call] { delegate.calls }

  init(options: UpstreamHandler.Options = .init()) throws {
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: "ws://server.example/v1"),
      headers: [try UpgradeHeader("Authorization", "Bearer \(Self.key)", isSecret: true)],
      tls: nil)
    oracle = try OracleDecoder()
    handler = UpstreamHandler(
      ConnectionNumber(1), endpoint: endpoint, options: options,
      eventLoop: channel.embeddedEventLoop, delegate: delegate,
      keys: MaskingKeys(random: SeededRandom(seed: 1)))
    try channel.pipeline.syncOperations.addHandler(handler)
  }

  /// Connects and upgrades; the calls until then are forgotten.
  static func open(
    options: UpstreamHandler.Options = .init(), extensions: String? = nil
  ) throws -> UpstreamRig {
    let rig = try UpstreamRig(options: options)
    try rig.connect()
    try rig.receive(try rig.goodAnswer(extensions: extensions))
    #expect(rig.calls == [.opened, .readCompleted])
    rig.delegate.calls = []
    return rig
  }

  func connect() throws {
    try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 80)).wait()
  }

  /// What was flushed to the wire.
  func sent() throws -> ByteBuffer {
    var bytes = ByteBuffer()
    while var part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
    return bytes
  }

  /// The flushed frames, as another implementation reads them.
  func sentFrames() throws -> [WebSocketFrame] { try oracle.frames(try sent()) }

  /// Answers the request that was sent.
  func goodAnswer(extensions: String? = nil) throws -> String {
    let request = String(buffer: try sent())
    let line = request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }
    let key = try #require(line).dropFirst("Sec-WebSocket-Key: ".count)
    let accept = try #require(UpgradeExchange.acceptKey(String(key)))
    let field = extensions.map { "Sec-WebSocket-Extensions: \($0)\r\n" } ?? ""
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Accept: \(accept)\r\n\(field)\r\n"
  }

  func receive(_ text: String) throws { try receive(ByteBuffer(string: text)) }

  func receive(_ frames: WebSocketFrame...) throws { try receive(try oracleEncoded(frames)) }

  /// One read of the socket.
  func receive(_ bytes: ByteBuffer) throws { try channel.writeInbound(bytes) }

  func becomeWritable(_ isWritable: Bool) {
    channel.isWritable = isWritable
    channel.pipeline.fireChannelWritabilityChanged()
  }

  func send(_ count: Int, token: UInt64) {
    handler.send(
      OutboundMessage(ByteBuffer(repeating: 0x61, count: count)), token: token)
  }
}

extension WebSocketFrame {
  var text: String { String(buffer: unmaskedData) }
  var closeCode: UInt16? { unmaskedData.getInteger(at: unmaskedData.readerIndex) }
}
