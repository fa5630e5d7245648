import HotlineTransport
import NIOCore

extension FuzzTarget {
  /// The first byte chooses the limit, the rest is what the server sends.
  func checkFrames(_ input: [UInt8]) throws(BrokenProperty) {
    guard let first = input.first else { return }
    let messageBytesMax = first < 0x80 ? Int(first) : 1 << 20
    let sent = input.dropFirst()
    let whole = try decoded([sent], messageBytesMax: messageBytesMax)
    var chance = InputChance(input)
    for pieces in chance.cuts(sent) {
      let split = try decoded(pieces, messageBytesMax: messageBytesMax)
      try hold(split == whole, "in \(pieces.count) pieces \(split), else \(whole)")
    }
    try checkReencoded(whole.events, messageBytesMax: messageBytesMax)
  }

  private struct Decoded: Equatable {
    var events: [FrameDecoder.Event] = []
    var violation: FrameViolation?
  }

  private func decoded(
    _ pieces: [ArraySlice<UInt8>], messageBytesMax: Int
  ) throws(BrokenProperty) -> Decoded {
    var decoder = FrameDecoder(messageBytesMax: messageBytesMax)
    var result = Decoded()
    var given = 0
    for piece in pieces {
      var input = ByteBuffer(bytes: piece)
      given += piece.count
      do throws(FrameViolation) {
        while let event = try decoder.next(&input) {
          result.events.append(event)
          // Nothing that follows a close frame counts.
          if case .close = event { return result }
        }
      } catch {
        result.violation = error
        return result
      }
      try hold(input.readableBytes == 0, "\(input.readableBytes) bytes were left")
      // A message under way, and one frame with its head beside it.
      let heldMax = min(given, messageBytesMax + 10 + max(messageBytesMax, 125))
      try hold(decoder.bytesHeld <= heldMax, "\(decoder.bytesHeld) bytes of \(given) are held")
    }
    return result
  }

  /// Written as frames by the book, the events are the same.
  private func checkReencoded(
    _ events: [FrameDecoder.Event], messageBytesMax: Int
  ) throws(BrokenProperty) {
    var bytes: [UInt8] = []
    for event in events {
      switch event {
      case .text(let payload): append(0x81, payload, to: &bytes)
      case .binary(let payload): append(0x82, payload, to: &bytes)
      case .ping(let payload): append(0x89, payload, to: &bytes)
      case .pong(let payload): append(0x8A, payload, to: &bytes)
      case .close(let close):
        var payload = ByteBuffer()
        if close.code != 1005 { payload.writeInteger(close.code) }
        payload.writeBytes(close.reason)
        append(0x88, payload, to: &bytes)
      }
    }
    let again = try decoded([bytes[...]], messageBytesMax: messageBytesMax)
    try hold(again == Decoded(events: events), "\(events) became \(again)")
  }

  private func append(_ first: UInt8, _ payload: ByteBuffer, to bytes: inout [UInt8]) {
    bytes.append(first)
    let count = payload.readableBytes
    if count <= 125 {
      bytes.append(UInt8(count))
    } else if count <= 0xFFFF {
      bytes += [126, UInt8(count >> 8), UInt8(count & 0xFF)]
    } else {
      bytes += [127] + (0..<8).reversed().map { UInt8(count >> ($0 * 8) & 0xFF) }
    }
    bytes += payload.readableBytesView
  }
}
