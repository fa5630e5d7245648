import TestSupport

/// The server's side of one conversation: sends as the script says, and notes what comes.
///
/// Blocks its thread.
final class ConformanceServer {
  struct Observed: Sendable {
    var echoes: [ConformanceCase.Message] = []
    var pongs: [[UInt8]] = []
    /// 1005 for an empty close frame, nil for none.
    var closeCode: UInt16?
  }

  private let server: RawWebSocketServer
  private let script: ConformanceCase.Script
  private let extensions: String?
  private let deflate: RawDeflate?
  private var observed = Observed()
  /// The payload so far of a message in fragments.
  private var message: (payload: [UInt8], isDeflated: Bool)?

  init(
    _ server: RawWebSocketServer, _ each: ConformanceCase, _ script: ConformanceCase.Script
  ) {
    self.server = server
    self.script = script
    extensions = each.extensions
    let agreed = each.extensions ?? ""
    let isAgreed = agreed.hasPrefix("permessage-deflate")
    let bits = (9...14).first { agreed.contains("client_max_window_bits=\($0)") } ?? 15
    deflate = isAgreed ? RawDeflate(clientWindowBits: bits) : nil
    server.reservedAllowed = isAgreed ? 4 : 0
  }

  func run() throws -> Observed {
    // The client is not to wait for a server that has failed.
    defer { server.disconnect() }
    try server.accept(extensions: extensions)
    guard server.requestHead.contains("Sec-WebSocket-Extensions: permessage-deflate") else {
      throw TestFailure("compression was not offered")
    }
    do {
      for step in script.steps { try send(step) }
    } catch {
      // A client that has seen enough may leave before the last byte.
      guard case .failed = script.end else { throw error }
    }
    if script.end == .open {
      let echoes = script.delivered.count { if case .text = $0 { true } else { false } }
      while observed.echoes.count < echoes || observed.pongs.count < script.pongs.count {
        guard try note() else {
          throw TestFailure("the client has left: \(observed.closeCode ?? 0)")
        }
      }
      try server.send(Wire.close(1000))
    }
    while try note() {}
    return observed
  }

  private func send(_ step: ConformanceCase.Step) throws {
    switch step {
    case .send(let bytes): try server.send(bytes)
    case .sendInPieces(let bytes, let count): try server.send(bytes, inPiecesOf: count)
    }
  }

  /// Takes the next frame; `false` at the end of the stream.
  private func note() throws -> Bool {
    guard let frame = try server.nextFrame() else { return false }
    guard observed.closeCode == nil else { throw TestFailure("a frame after the close frame") }
    switch frame.opcode {
    case 0, 1, 2: try noteData(frame)
    case 8:
      guard frame.payload.count != 1 else { throw TestFailure("a close frame of one byte") }
      observed.closeCode =
        frame.payload.isEmpty ? 1005 : UInt16(frame.payload[0]) << 8 | UInt16(frame.payload[1])
    case 10: observed.pongs.append(frame.payload)
    default: throw TestFailure("opcode \(frame.opcode), which nobody has asked for")
    }
    return true
  }

  private func noteData(_ frame: RawFrame) throws {
    guard frame.payload.count <= 32 << 10 else { throw TestFailure("a frame over 32 KiB") }
    if frame.opcode == 0 {
      guard message != nil, frame.reserved == 0 else { throw TestFailure("a stray fragment") }
    } else {
      guard message == nil, frame.opcode == 1 else { throw TestFailure("a stray message") }
      message = ([], frame.reserved == 4)
    }
    message?.payload += frame.payload
    guard frame.isFinal, let whole = message else { return }
    message = nil
    guard whole.isDeflated else {
      try checkPlain(whole.payload)
      observed.echoes.append(.text(whole.payload))
      return
    }
    let isAnew = extensions?.contains("client_no_context_takeover") ?? false
    guard let text = deflate?.decompress(whole.payload, isAnew: isAnew) else {
      throw TestFailure("a message that cannot be decompressed")
    }
    guard text.count >= 64 else { throw TestFailure("a short message is compressed") }
    observed.echoes.append(.text(text))
  }

  private func checkPlain(_ payload: [UInt8]) throws {
    let mayDeflate = deflate != nil && extensions?.contains("client_max_window_bits=8") == false
    guard !mayDeflate || payload.count < 64 else { throw TestFailure("a long message is plain") }
  }
}
