import HotlineCore
import HotlineWire

extension Operation {
  /// Reading of JSON and lines; each counts for one message.
  static var wire: [Operation] {
    [
      Operation(name: "scan-delta", count: 2_000) { { scan(Samples.delta) } },
      Operation(name: "scan-64k-terminal", count: 20) {
        let message = Samples.longTerminal
        return { scan(message) }
      },
      Operation(name: "envelope-delta", count: 2_000) {
        let requestID = Array(#""q7-0""#.utf8)
        return {
          Samples.delta.withUnsafeBytes { message in
            guard let envelope = try? UpstreamEnvelope(message) else { fatalError("no event") }
            keep(envelope.line(of: message, requestID: requestID))
          }
        }
      },
      Operation(name: "frame-lines-of-64", count: 100) {
        let lines = Samples.lines(64)
        return {
          lines.withUnsafeBytes { bytes in
            var framer = LineFramer(lineBytesMax: 1 << 20)
            var unread = bytes[...]
            while case .line(let line, let consumed) = framer.next(
              in: UnsafeRawBufferPointer(rebasing: unread))
            {
              keep(line)
              unread = unread.dropFirst(consumed)
            }
          }
        }
      },
      Operation(name: "request-line", count: 1_000) {
        let dialect = UpstreamDialect(
          envelope: .flat, forcesStoreFalse: true, defaultModel: nil, defaultInstructions: nil,
          messageBytesMax: 15 << 20)
        return {
          Samples.request.withUnsafeBytes { line in
            guard case .request(let request) = ClientMessage.parse(line) else {
              fatalError("no request")
            }
            keep(dialect.message(forAccepted: request.body, lane: nil))
          }
        }
      },
    ]
  }

  private static func scan(_ text: [UInt8]) {
    text.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      guard let value = try? scanner.skipValue() else { fatalError("not JSON") }
      keep(value)
    }
  }
}
