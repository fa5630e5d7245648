import Glibc
import HotlineCore
import NIOCore
import TestSupport
import Testing

@testable import HotlineTransport

/// Large requests to a server that reads slowly or asks questions meanwhile, over real sockets.
@Suite(.serialized) struct UpstreamPacingTests {
  private static let text = Sample.letters(8 << 20)

  /// A connection on which one large request is under way, and its server, which runs on the test's
  /// own thread.
  fileprivate struct Pair {
    let server = RawWebSocketServer(receiveBytes: 64 << 10)
    let loop = EpollLoop.shared
    let sender: NIOLoopBound<SendingDelegate>

    init(extensions: String? = nil, text: [UInt8] = UpstreamPacingTests.text) throws {
      let loop = loop
      let port = server.port
      sender = try loop.submit {
        let delegate = SendingDelegate(text)
        let endpoint = UpstreamEndpoint(
          address: try UpstreamAddress(url: "ws://127.0.0.1:\(port)/"), headers: [], tls: nil)
        var options = UpstreamHandler.Options()
        options.connectTimeout = Deadline.usual
        delegate.handler = UpstreamDialer(eventLoop: loop).dial(
          ConnectionNumber(1), to: endpoint, options: options, delegate: delegate)
        return NIOLoopBound(delegate, eventLoop: loop)
      }.wait()
      server.reservedAllowed = extensions == nil ? 0 : 4
      try server.accept(extensions: extensions)
    }

    /// The frames up to the request's last; `seen` is called after each.
    func read(_ seen: (Int) throws -> Void = { _ in }) throws -> [RawFrame] {
      var frames: [RawFrame] = []
      while frames.last.map({ $0.isFinal && $0.opcode < 8 }) != true {
        guard let frame = try server.nextFrame() else { throw TestFailure("the client has left") }
        frames.append(frame)
        try seen(frames.count)
      }
      return frames
    }

    func ask<Answer: Sendable>(
      _ question: @escaping @Sendable (SendingDelegate) -> Answer
    ) throws -> Answer {
      let sender = sender
      return try loop.submit { question(sender.value) }.wait()
    }

    func wait(
      for what: String, _ isSo: @escaping @Sendable (SendingDelegate) -> Bool
    ) throws {
      _ = try poll(for: what) { try ask(isSo) ? true : nil }
    }

    func end() throws {
      try ask { $0.handler?.drop() }
    }
  }

  private func message(_ frames: [RawFrame]) -> [UInt8]? {
    let data = frames.filter { $0.opcode < 8 }
    let payload = data.flatMap(\.payload)
    return data.first?.reserved == 4 ? RawDeflate().decompress(payload) : payload
  }

  @Test(arguments: [nil, "permessage-deflate"])
  func pongsGoOutBetweenTheFragmentsOfALargeRequest(extensions: String?) throws {
    let pair = try Pair(extensions: extensions)
    var frames = try pair.read { count in
      if count <= 3 { try pair.server.send(Wire.ping([UInt8(count)])) }
    }
    // On a busy machine the last ones may come after the end.
    while frames.count(where: { $0.opcode == 10 }) < 3 {
      frames.append(try #require(try pair.server.nextFrame()))
    }
    let pongs = frames.filter { $0.opcode == 10 }
    #expect(pongs.map(\.payload) == [[1], [2], [3]])
    #expect(frames.allSatisfy { $0.payload.count <= 32 << 10 })
    #expect(message(frames) == Self.text)
    // What was written before the first ping came: the buffers of two kernels, and our own.
    let firstPong = try #require(frames.firstIndex { $0.opcode == 10 })
    #expect(firstPong < frames.count / 2, "\(firstPong) of \(frames.count)")
    try pair.end()
  }

  @Test(arguments: [nil, "permessage-deflate"])
  func serverThatDoesNotReadHoldsTheRequestUp(extensions: String?) throws {
    let pair = try Pair(extensions: extensions)
    try pair.wait(for: "a full socket") {
      $0.handler?.context?.channel.isWritable == false
    }
    #expect(try pair.ask { $0.handler?.messagesUnsent } == 1)
    #expect(try !pair.ask(\.isHandedOver))
    let frames = try pair.read()
    #expect(message(frames) == Self.text)
    try pair.wait(for: "the hand-over") { $0.isHandedOver }
    try pair.end()
  }
}

/// The last word to a server that is still talking.
@Suite struct LingeringCloseTests {
  /// A client that closes with this unread is reset, and what it said may be lost with that.
  private static let more = RawFrame.bytes(0x81, [UInt8](repeating: 0x61, count: 200_000))

  /// What is answered with which code.
  private static let faults: [([UInt8], UInt16)] = [
    (RawFrame.bytes(0x81, [0xFF]), 1007), (RawFrame.bytes(0xC1, []), 1002),
    ([0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0], 1009), (RawFrame.bytes(0x88, [0x03, 0xE8]), 1000),
  ]

  @Test(arguments: faults)
  func isHeardAndTheConnectionEndsInOrder(bytes: [UInt8], code: UInt16) throws {
    let pair = try UpstreamPacingTests.Pair(text: [0x61])
    _ = try pair.read()
    try pair.server.send(bytes + Self.more)
    let frame = try #require(try pair.server.nextFrame())
    #expect(frame.opcode == 8)
    #expect(frame.payload.prefix(2).reduce(0) { $0 << 8 | UInt16($1) } == code)
    try pair.wait(for: "the end for the daemon") { $0.failure != nil }
    try pair.server.send(Self.more)
    #expect(try pair.server.nextFrame() == nil, "more after the close frame")
    #expect(!pair.server.wasReset)
  }

  @Test func lastsForSoManyBytesOnly() throws {
    let pair = try UpstreamPacingTests.Pair(text: [0x61])
    _ = try pair.read()
    try pair.server.send(RawFrame.bytes(0xC1, []))
    _ = try #require(try pair.server.nextFrame())
    // 8 MiB are taken in; the buffers of two kernels and one read come on top.
    #expect(throws: TestFailure.self) { for _ in 0..<200 { try pair.server.send(Self.more) } }
  }
}

/// A server that is gone without a word.
@Suite struct VanishedPeerTests {
  /// That the limit is 20 s is tested with the other options; to wait for it here is to no purpose.
  @Test func whatIsNotAcknowledgedInTimeEndsTheConnection() throws {
    let pair = try UpstreamPacingTests.Pair(text: [0x61])
    _ = try pair.read()
    try pair.server.vanish()
    try pair.ask { sender in
      Self.shortenUserTimeout(of: sender)
      sender.handler?.send(OutboundMessage(ByteBuffer(string: "anybody there?")), token: 2)
    }
    try expectTimeout(pair)
  }

  /// As the kernel has it (tcp(7)): what cannot be sent for want of a window is as good as lost.
  @Test func aServerThatTakesNothingInTimeIsLostToo() throws {
    let pair = try UpstreamPacingTests.Pair()
    try pair.wait(for: "a full socket") { $0.handler?.context?.channel.isWritable == false }
    try pair.ask { Self.shortenUserTimeout(of: $0) }
    try expectTimeout(pair)
  }

  private static func shortenUserTimeout(of sender: SendingDelegate) {
    guard let channel = sender.handler?.context?.channel as? StreamChannel else {
      Issue.record("no channel of ours")
      return
    }
    let isSet = SystemCalls.set(
      TCP_USER_TIMEOUT, of: CInt(IPPROTO_TCP), to: 300, on: channel.descriptor)
    #expect(isSet)
  }

  private func expectTimeout(_ pair: UpstreamPacingTests.Pair) throws {
    try pair.wait(for: "the end of the connection") { $0.failure != nil }
    let failure = try #require(try pair.ask(\.failure))
    #expect(failure.kind == .lost)
    #expect(failure.detail.contains("timed out"), "\(failure.detail)")
  }
}

/// Sends one request as soon as it can.
private final class SendingDelegate: UpstreamHandlerDelegate {
  var handler: UpstreamHandler?
  private(set) var isHandedOver = false
  private(set) var failure: ConnectionFailure?
  private let text: [UInt8]

  init(_ text: [UInt8]) { self.text = text }

  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts) {
    handler?.send(OutboundMessage(ByteBuffer(bytes: text)), token: 1)
  }
  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64) { isHandedOver = true }
  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure) {
    self.failure = failure
    handler = nil
  }
  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool
  ) {}
  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64) {}
  func upstreamReadCompleted(_ connection: ConnectionNumber) {}
}
