import HotlineCore
import HotlineTransport
import HotlineWire
import NIOCore

extension Operation {
  /// WebSocket frames, and the way of an event from the decrypted bytes to its client's line.
  static var frames: [Operation] {
    [
      Operation(name: "read-64-frames", count: 100) {
        let input = ByteBuffer(bytes: Samples.frames(64))
        var decoder = FrameDecoder(messageBytesMax: 64 << 20)
        return { decode(input, with: &decoder) { keep($0) } }
      },
      Operation(name: "read-frame-cut-in-two", count: 1_000) {
        let frame = ByteBuffer(bytes: Samples.frames(1))
        let halves = (
          frame.getSlice(at: 0, length: 100),
          frame.getSlice(at: 100, length: frame.readableBytes - 100)
        )
        guard let first = halves.0, let second = halves.1 else {
          fatalError("a frame is too short")
        }
        var decoder = FrameDecoder(messageBytesMax: 64 << 20)
        return {
          decode(first, with: &decoder) { keep($0) }
          decode(second, with: &decoder) { keep($0) }
        }
      },
      Operation(name: "write-ping-frame", count: 2_000) {
        var encoder = FrameEncoder()
        var out = ByteBuffer()
        let payload = ByteBuffer(repeating: 7, count: 125)
        return {
          out.clear()
          encoder.appendControl(.ping, payload, to: &out)
          keep(out.readableBytes)
        }
      },
      Operation(name: "relay-64-events", count: 50) { relay(Samples.frames(64)) },
      Operation(name: "relay-one-event", count: 1_000) { relay(Samples.frames(1)) },
    ]
  }

  private static func decode(
    _ input: ByteBuffer, with decoder: inout FrameDecoder, _ body: (FrameDecoder.Event) -> Void
  ) {
    var input = input
    do throws(FrameViolation) {
      while let event = try decoder.next(&input) { body(event) }
    } catch {
      fatalError("a frame is wrong: \(error)")
    }
  }

  /// All that the daemon does of its own for plain events: frames, envelope, the broker, the line.
  private static func relay(_ frames: [UInt8]) -> () -> Void {
    let input = ByteBuffer(bytes: frames)
    var decoder = FrameDecoder(messageBytesMax: 64 << 20)
    var relay = Relay()
    return {
      relay.out.clear()
      decode(input, with: &decoder) { event in
        guard case .text(let message) = event else { fatalError("not a text message") }
        message.withUnsafeReadableBytes { relay.deliver($0) }
      }
      keep(relay.out.readableBytes)
    }
  }

  private struct Relay {
    var world = World(connections: 1, clients: 1)
    var out = ByteBuffer()
    let requestID = Array(#""q7-0""#.utf8)

    init() {
      world.ask(from: 0)
      world.begin()
    }

    mutating func deliver(_ message: UnsafeRawBufferPointer) {
      guard let envelope = try? UpstreamEnvelope(message) else { fatalError("no event") }
      guard world.progress(isText: envelope.kind == .text) else { fatalError("not delivered") }
      let count = envelope.lineByteCount(
        messageCount: message.count, requestIDCount: requestID.count)
      out.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { line in
        requestID.withUnsafeBytes { envelope.writeLine(of: message, requestID: $0, into: line) }
      }
    }
  }
}
