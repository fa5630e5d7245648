package import HotlineCore

/// Tokens that the server's `usage` object counts.
package struct TokenUsage: Hashable, Sendable {
  /// All of the input, what came from the prompt cache included.
  package var input = 0
  /// Those of the input that came from the prompt cache.
  package var cachedInput = 0
  package var output = 0

  package init(input: Int = 0, cachedInput: Int = 0, output: Int = 0) {
    self.input = input
    self.cachedInput = cachedInput
    self.output = output
  }

  /// Reads a terminal event's `usage`; nil where it counts neither input nor output.
  ///
  /// What is no whole number from 0 on counts as not there. Any thread.
  package init?(_ json: ByteString) {
    var usage = Self()
    var isCounted = false
    let isRead = json.bytes.withUnsafeBytes { bytes in
      do throws(JSONError) {
        var scanner = JSONScanner(bytes)
        try usage.read(&scanner, in: bytes, &isCounted)
        return true
      } catch {
        return false
      }
    }
    guard isRead, isCounted else { return nil }
    usage.cachedInput = min(usage.cachedInput, usage.input)
    self = usage
  }

  package static func + (left: Self, right: Self) -> Self {
    Self(
      input: left.input + right.input, cachedInput: left.cachedInput + right.cachedInput,
      output: left.output + right.output)
  }

  private mutating func read(
    _ scanner: inout JSONScanner, in bytes: UnsafeRawBufferPointer, _ isCounted: inout Bool
  ) throws(JSONError) {
    guard try scanner.peekKind() == .object else { return }
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      // Realtime servers write the second.
      if name.equals("input_tokens_details", in: bytes)
        || name.equals("input_token_details", in: bytes), try scanner.peekKind() == .object
      {
        try readDetails(&scanner, in: bytes)
        continue
      }
      let count = Self.count(try scanner.skipValue(), in: bytes)
      if name.equals("input_tokens", in: bytes), let count {
        (input, isCounted) = (count, true)
      } else if name.equals("output_tokens", in: bytes), let count {
        (output, isCounted) = (count, true)
      }
    }
  }

  private mutating func readDetails(
    _ scanner: inout JSONScanner, in bytes: UnsafeRawBufferPointer
  ) throws(JSONError) {
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let count = Self.count(try scanner.skipValue(), in: bytes)
      if name.equals("cached_tokens", in: bytes), let count { cachedInput = count }
    }
  }

  /// Counts that no server can mean are left out, so that sums never overflow.
  private static func count(_ value: JSONValue, in bytes: UnsafeRawBufferPointer) -> Int? {
    guard value.kind == .number, value.range.count <= 12,
      let count = Int(String(decoding: bytes[value.range], as: UTF8.self)), count >= 0
    else { return nil }
    return count
  }
}
