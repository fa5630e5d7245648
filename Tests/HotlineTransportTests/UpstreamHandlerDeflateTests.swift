import HotlineCore
import HotlineDeflate
import HotlineWire
import NIOCore
import NIOEmbedded
import NIOWebSocket
import TestSupport
import Testing

@testable import HotlineTransport

struct UpstreamHandlerDeflateTests {
  private static let fragment = FrameEncoder.fragmentBytes

  private func open(
    _ answer: String = "permessage-deflate", options: UpstreamHandler.Options = .init()
  ) throws -> UpstreamRig {
    try UpstreamRig.open(options: options, extensions: answer)
  }

  /// The texts in frames, decompressed as a server does it.
  private func texts(_ frames: [WebSocketFrame], _ server: RawDeflate) throws -> [[UInt8]] {
    var texts: [[UInt8]] = []
    var payload: [UInt8] = []
    var isDeflated = false
    for frame in frames where frame.opcode == .text || frame.opcode == .continuation {
      if frame.opcode == .text { isDeflated = frame.rsv1 } else { #expect(!frame.rsv1) }
      payload += frame.unmaskedData.readableBytesView
      guard frame.fin else { continue }
      texts.append(isDeflated ? try #require(server.decompress(payload)) : payload)
      payload = []
    }
    return texts
  }

  // MARK: Agreeing

  @Test func compressionIsOfferedUnlessItIsOff() throws {
    for isOffered in [true, false] {
      var options = UpstreamHandler.Options()
      options.offersDeflate = isOffered
      let rig = try UpstreamRig(options: options)
      try rig.connect()
      let request = String(buffer: try rig.sent())
      let field = "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
      #expect(request.contains(field) == isOffered)
    }
  }

  @Test(
    arguments: [
      "x-other", "permessage-deflate, x-other", "permessage-deflate; client_max_window_bits=7",
      "permessage-deflate; client_max_window_bits",
    ])
  func answerThatAcceptsSomethingElseIsRefused(_ answer: String) throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.receive(try rig.goodAnswer(extensions: answer))
    #expect(rig.calls == [.closed(.upgradeInvalid)])
    #expect(!rig.channel.isActive)
  }

  @Test func acceptanceOfWhatWasNotOfferedIsRefused() throws {
    var options = UpstreamHandler.Options()
    options.offersDeflate = false
    let rig = try UpstreamRig(options: options)
    try rig.connect()
    try rig.receive(try rig.goodAnswer(extensions: "permessage-deflate"))
    #expect(rig.calls == [.closed(.upgradeInvalid)])
    #expect(
      rig.delegate.failure?.detail
        == "the answer to the upgrade is a 101 that uses an extension nobody asked for")
  }

  @Test func whatWasAgreedIsTold() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    try rig.receive(try rig.goodAnswer(extensions: "permessage-deflate; server_max_window_bits=9"))
    #expect(rig.delegate.facts?.deflate?.serverMaxWindowBits == 9)
    #expect(rig.handler.bytesSaved == 0)
    let plain = try UpstreamRig.open()
    #expect(plain.delegate.facts?.deflate == nil)
    #expect(plain.handler.bytesSaved == nil)
  }

  @Test func framesBehindTheAnswerMayBeCompressed() throws {
    let rig = try UpstreamRig()
    try rig.connect()
    var bytes = ByteBuffer(string: try rig.goodAnswer(extensions: "permessage-deflate"))
    bytes.writeBytes(RawFrame.bytes(0xC1, RawDeflate().compress(Array("hello".utf8))))
    try rig.receive(bytes)
    #expect(rig.calls == [.opened, .text("hello"), .readCompleted])
  }

  // MARK: Sending

  @Test func textOf64BytesIsCompressedAndOneOf63IsNot() throws {
    let rig = try open()
    rig.send(63, token: 1)
    rig.send(64, token: 2)
    #expect(rig.calls == [.handedOver(1), .handedOver(2)])
    let frames = try rig.sentFrames()
    #expect(frames.map(\.rsv1) == [false, true])
    #expect(frames.map(\.opcode) == [.text, .text])
    #expect(frames[1].length < 20)
    #expect(
      try texts(frames, RawDeflate()).map(\.count) == [63, 64])
  }

  @Test func messagesShareTheirContextUnlessAgreedOtherwise() throws {
    let text = ByteBuffer(bytes: Sample.letters(1000))
    var lengths: [[Int]] = []
    for answer in ["permessage-deflate", "permessage-deflate; client_no_context_takeover"] {
      let rig = try open(answer)
      for token in 1...3 as ClosedRange<UInt64> {
        rig.handler.send(OutboundMessage(text), token: token)
      }
      lengths.append(try rig.sentFrames().map(\.length))
    }
    #expect(lengths[0][1] < 40)
    #expect(lengths[0][2] < 40)
    #expect(Set(lengths[1]).count == 1)
    #expect(lengths[1][0] > 500)
  }

  @Test func windowThatZlibHasNotMeansPlainMessages() throws {
    let rig = try open("permessage-deflate; client_max_window_bits=8")
    rig.send(1000, token: 1)
    #expect(try rig.sentFrames().map(\.rsv1) == [false])
    try rig.receive(ByteBuffer(bytes: RawFrame.bytes(0xC1, RawDeflate().compress([0x61]))))
    #expect(rig.calls == [.handedOver(1), .text("a"), .readCompleted])
  }

  @Test func largeMessageIsCompressedInFragmentsAndYieldsTheLoop() throws {
    let rig = try open()
    let text = Sample.letters(20 * Self.fragment)
    rig.handler.send(OutboundMessage(ByteBuffer(bytes: text)), token: 1)
    var frames = try rig.sentFrames()
    #expect(frames.count < 4)
    #expect(rig.calls == [])
    try rig.receive(frame(.ping, "x".utf8))
    let pong = try rig.sentFrames()
    #expect(pong.map(\.opcode) == [.pong])
    rig.loop.advanceTime(by: .milliseconds(5))
    frames += try rig.sentFrames()
    #expect(rig.calls == [.readCompleted, .handedOver(1)])
    #expect(frames.count > 8)
    #expect(frames.dropLast().allSatisfy { $0.length == Self.fragment && !$0.fin })
    #expect(frames.last?.fin == true)
    #expect(try texts(frames, RawDeflate()) == [text])
  }

  @Test func messageThatIsBeingCompressedCannotBeTakenBack() throws {
    let rig = try open()
    rig.send(20 * Self.fragment, token: 1)
    rig.send(100, token: 2)
    #expect(try rig.sentFrames().isEmpty)
    #expect(!rig.handler.cancelUnsent(token: 1))
    #expect(rig.handler.cancelUnsent(token: 2))
    rig.loop.advanceTime(by: .milliseconds(5))
    #expect(rig.calls == [.handedOver(1)])
    #expect(try texts(try rig.sentFrames(), RawDeflate()).map(\.count) == [20 * Self.fragment])
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func serverReadsWhateverIsSent(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let isAnew = Bool.random(using: &random)
    let bits = Int.random(in: 9...15, using: &random)
    let rig = try open(
      "permessage-deflate; client_max_window_bits=\(bits)"
        + (isAnew ? "; client_no_context_takeover" : ""))
    let server = RawDeflate(clientWindowBits: bits)
    for token in 1...8 as ClosedRange<UInt64> {
      let count = Int.random(in: 0...(token == 8 ? 150_000 : 3000), using: &random)
      let kind = Int.random(in: 0...2, using: &random)
      let line = [Sample.text(count), Sample.letters(count), Sample.noise(count)][kind]
      let cut = Int.random(in: 0...count, using: &random)
      let pieces: [BodyPiece] = [
        .line(0..<cut), .literal([]), .literal(Array(",\"x\":1".utf8)), .line(cut..<count),
      ]
      let message = OutboundMessage(line: ByteBuffer(bytes: line), pieces: pieces)
      rig.handler.send(message, token: token)
      rig.loop.advanceTime(by: .milliseconds(5))
      let expected = line[..<cut] + Array(",\"x\":1".utf8) + line[cut...]
      #expect(try texts(try rig.sentFrames(), server) == [Array(expected)])
    }
    #expect(rig.calls == (1...8).map { .handedOver($0) })
  }

  // MARK: Receiving

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func messagesInPiecesOfAnySizeAreDelivered(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let rig = try open()
    let server = RawDeflate()
    var stream: [UInt8] = []
    var expected: [RecordingDelegate.Call] = []
    for _ in 0..<6 {
      let text = Sample.text(Int.random(in: 0...5000, using: &random))
      let payload = Bool.random(using: &random) ? server.compress(text) : nil
      let size = Int.random(in: 1...2000, using: &random)
      stream += Wire.fragments(payload ?? text, of: size, first: payload == nil ? 0x01 : 0x41)
      expected.append(.text(String(decoding: text, as: UTF8.self)))
    }
    var rest = stream[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...3000, using: &random))
      rest = rest.dropFirst(piece.count)
      try rig.receive(ByteBuffer(bytes: piece))
    }
    #expect(rig.calls.filter { $0 != .readCompleted } == expected)
    #expect(rig.handler.bytesHeld == 0)
  }

  @Test func messageOfNoBytesIsNoCompressedOneEvenBehindAClosedStream() throws {
    let rig = try open()
    let closed = RawDeflate().compressClosing(Array("hello".utf8))
    try rig.receive(ByteBuffer(bytes: RawFrame.bytes(0xC1, closed) + RawFrame.bytes(0xC1, [])))
    #expect(rig.calls == [.text("hello"), .readCompleted, .closed(.protocolViolation)])
    #expect(try rig.sentFrames().map(\.closeCode) == [1007])
  }

  @Test func bombIsNotInflatedBeyondTheLimit() throws {
    var options = UpstreamHandler.Options()
    options.eventBytesMax = 10_000
    let rig = try open(options: options)
    let inflater = try #require(rig.handler.inflater)
    let bomb = RawDeflate(level: 9).compress([UInt8](repeating: 0, count: 50_000_000))
    try rig.receive(ByteBuffer(bytes: RawFrame.bytes(0xC2, bomb)))
    #expect(try rig.sentFrames().map(\.closeCode) == [1009])
    #expect(rig.calls == [.readCompleted, .closed(.protocolViolation)])
    #expect(inflater.bytesGiven == 10_001)
  }

  @Test func inflatedPartOfAMessageCountsAsHeld() throws {
    let rig = try open()
    let payload = RawDeflate().compress(Sample.text(5000))
    try rig.receive(ByteBuffer(bytes: RawFrame.bytes(0x41, payload)))
    #expect(rig.handler.bytesHeld > 4000)
    try rig.receive(ByteBuffer(bytes: Wire.more([], fin: true)))
    #expect(rig.handler.bytesHeld == 0)
  }

  @Test func noiseWhileCompressedEndsTheConnectionOnceAtMost() throws {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      let rig = try open()
      for _ in 0..<40 where rig.channel.isActive {
        let first: UInt8 = [0xC1, 0x41, 0x80, 0x81, 0xC2, 0x00].randomElement(using: &random) ?? 0
        let noise = Sample.noise(Int.random(in: 0...40, using: &random), seed: random.next())
        let payload = Bool.random(using: &random) ? RawDeflate().compress(noise) : noise
        try rig.receive(ByteBuffer(bytes: RawFrame.bytes(first, payload)))
      }
      rig.handler.drop()
      let ends = rig.calls.filter { if case .closed = $0 { true } else { false } }
      #expect(ends.count == 1)
    }
  }

  // MARK: Counting

  @Test func bytesSavedAreCountedBothWays() throws {
    let rig = try open()
    let text = Sample.text(10_000)
    let payload = RawDeflate().compress(text)
    try rig.receive(ByteBuffer(bytes: RawFrame.bytes(0xC1, payload)))
    let received = text.count - payload.count
    #expect(rig.handler.bytesSaved == received)
    rig.handler.send(OutboundMessage(ByteBuffer(bytes: text)), token: 1)
    let sent = text.count - (try rig.sentFrames().map(\.length).reduce(0, +))
    #expect(rig.handler.bytesSaved == received + sent)
    #expect(sent > 5000)
  }

  @Test func zlibsMemoryIsGivenBackWithTheConnection() throws {
    for endsByServer in [true, false] {
      let rig = try open()
      let memory = try #require(rig.handler.zlibMemory)
      rig.send(100_000, token: 1)
      let payload = RawDeflate().compress(Sample.text(5000))
      try rig.receive(ByteBuffer(bytes: RawFrame.bytes(0xC1, payload)))
      #expect(memory.blocks > 4)
      // The handler itself lives on.
      if endsByServer { try rig.receive(frame(.connectionClose, [])) } else { rig.handler.drop() }
      #expect(memory.blocks == 0)
      #expect(rig.handler.bytesSaved ?? 0 > 0)
    }
  }

  @Test func delegateMayDropFromWithinACompressedDelivery() throws {
    let rig = try open()
    rig.delegate.onCall = { call in
      if call == .text("a") { rig.handler.drop() }
    }
    let deflate = RawDeflate()
    let frames = ["a", "b"].flatMap { RawFrame.bytes(0xC1, deflate.compress(Array($0.utf8))) }
    try rig.receive(ByteBuffer(bytes: frames))
    #expect(rig.calls == [.text("a"), .readCompleted, .closed(.local)])
    rig.delegate.onCall = nil
  }
}
