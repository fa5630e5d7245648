import Glibc

private let requestIDMember: StaticString = "\"request_id\":"

/// The line that a client gets of an event: the event's own bytes and its `request_id`.
extension UpstreamEnvelope {
  /// The exact length of the line with its LF.
  package func lineByteCount(messageCount: Int, requestIDCount: Int) -> Int {
    var count = messageCount + requestIDMember.utf8CodeUnitCount + requestIDCount + 1
    if !isEmptyObject { count += 1 }
    for rename in renames {
      count += rename.newName.utf8CodeUnitCount - rename.contents.count
    }
    return count
  }

  /// Writes the line: `"request_id":` and the client's own spelling of it after the opening brace,
  /// the daemon's own member names prefixed, each LF between tokens made a space, all other bytes
  /// as they came, LF.
  ///
  /// - Parameters:
  ///   - message: the bytes that this envelope was read from.
  ///   - requestID: a JSON string or integer as the client spelt it.
  ///   - line: room for ``lineByteCount(messageCount:requestIDCount:)`` bytes at least.
  /// - Returns: the number of bytes written, which is that same count.
  @discardableResult
  package func writeLine(
    of message: UnsafeRawBufferPointer, requestID: UnsafeRawBufferPointer,
    into line: UnsafeMutableRawBufferPointer
  ) -> Int {
    let count = lineByteCount(messageCount: message.count, requestIDCount: requestID.count)
    precondition(line.count >= count, "no room for the line")
    precondition(bodyStart > 0 && bodyStart <= message.count, "not the message that was read")
    var out = ByteCursor(line)
    out.write(message, 0..<bodyStart)
    out.write(requestIDMember)
    out.write(requestID, 0..<requestID.count)
    if !isEmptyObject { out.write(UInt8(ascii: ",")) }
    var rest = bodyStart
    for rename in renames {
      out.write(message, rest..<rename.contents.lowerBound)
      out.write(rename.newName)
      rest = rename.contents.upperBound
    }
    out.write(message, rest..<message.count)
    if hasLineFeed { out.replaceLineFeeds() }
    out.write(UInt8(ascii: "\n"))
    return count
  }

  /// The line as an array; see ``writeLine(of:requestID:into:)``.
  package func line(of message: UnsafeRawBufferPointer, requestID: [UInt8]) -> [UInt8] {
    let count = lineByteCount(messageCount: message.count, requestIDCount: requestID.count)
    return [UInt8](unsafeUninitializedCapacity: count) { line, written in
      written = requestID.withUnsafeBytes {
        writeLine(of: message, requestID: $0, into: UnsafeMutableRawBufferPointer(line))
      }
    }
  }
}

/// Fills memory from its front; the caller has checked that there is room.
private struct ByteCursor {
  private let out: UnsafeMutableRawBufferPointer
  private var count = 0

  init(_ out: UnsafeMutableRawBufferPointer) {
    self.out = out
  }

  @inline(__always)
  mutating func write(_ byte: UInt8) {
    out[count] = byte
    count &+= 1
  }

  @inline(__always)
  mutating func write(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    let source = UnsafeRawBufferPointer(rebasing: bytes[range])
    UnsafeMutableRawBufferPointer(rebasing: out[count...]).copyMemory(from: source)
    count &+= source.count
  }

  @inline(__always)
  mutating func write(_ text: StaticString) {
    let source = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    write(source, 0..<source.count)
  }

  func replaceLineFeeds() {
    var at = 0
    while at < count, let base = out.baseAddress, let found = memchr(base + at, 0x0A, count - at) {
      at = UnsafeMutableRawPointer(found) - base
      out[at] = UInt8(ascii: " ")
      at &+= 1
    }
  }
}
