/// Builds one JSON text by appending; puts the commas itself.
///
/// For the daemon's own lines. That names and containers pair up is the caller's business. Numbers
/// come out the same in every locale, and always as JSON. Any thread.
package struct JSONWriter {
  package var bytes: [UInt8]
  /// A value or a closed container precedes in the innermost open container.
  private var needsComma = false

  /// - Parameter bytes: what is there already; kept as it is, the text begins after it.
  package init(_ bytes: consuming [UInt8] = []) {
    self.bytes = bytes
  }

  package mutating func beginObject() { begin(UInt8(ascii: "{")) }
  package mutating func endObject() { end(UInt8(ascii: "}")) }
  package mutating func beginArray() { begin(UInt8(ascii: "[")) }
  package mutating func endArray() { end(UInt8(ascii: "]")) }

  /// A member's name, which is ASCII and needs no escapes; its value must follow.
  package mutating func name(_ name: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// A member's name that is known at run time only; its value must follow.
  package mutating func name(text: String) {
    string(text)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func null() { literal("null") }
  package mutating func boolean(_ value: Bool) { literal(value ? "true" : "false") }

  package mutating func string(_ text: String) {
    separate()
    JSONString.append(text, to: &bytes)
  }

  /// Text that may be ill-formed; ``JSONString`` says what then becomes of it.
  package mutating func string(_ text: [UInt8]) {
    separate()
    JSONString.append(text, to: &bytes)
  }

  package mutating func string(_ text: UnsafeRawBufferPointer) {
    separate()
    JSONString.append(text, to: &bytes)
  }

  /// Bytes as a string in base 64.
  package mutating func base64(_ data: UnsafeRawBufferPointer) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    Base64.append(data, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  package mutating func integer(_ value: some FixedWidthInteger) {
    separate()
    bytes.append(contentsOf: String(value).utf8)
  }

  /// A number with 1 to 9 decimals, rounded to nearest, without trailing zeros but the first; null
  /// if it is not finite.
  package mutating func decimal(_ value: Double, decimalsMax: Int) {
    precondition((1...9).contains(decimalsMax))
    guard value.isFinite else { return null() }
    var scale: Int64 = 1
    for _ in 0..<decimalsMax { scale *= 10 }
    let scaled = (value * Double(scale)).rounded()
    guard let units = Int64(exactly: scaled) else {
      // Beyond the reach of decimals; the standard library's spelling is JSON for finite numbers.
      separate()
      return bytes.append(contentsOf: value.description.utf8)
    }
    fixedPoint(units, scale: scale)
  }

  /// A duration as a number of milliseconds with one to three decimals.
  package mutating func milliseconds(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let rounding: Int64 = attoseconds < 0 ? -500_000_000_000 : 500_000_000_000
    let part = (attoseconds + rounding) / 1_000_000_000_000
    let (sum, isSumTooLong) = whole.addingReportingOverflow(part)
    guard !isTooLong, !isSumTooLong else {
      return fixedPoint(seconds < 0 ? .min : .max, scale: 1000)
    }
    fixedPoint(sum, scale: 1000)
  }

  /// One JSON value as it is spelt elsewhere; an LF between its tokens becomes a space, so that a
  /// line stays a line.
  package mutating func raw(_ value: [UInt8]) {
    separate()
    let start = bytes.count
    bytes.append(contentsOf: value)
    for at in start..<bytes.count where bytes[at] == UInt8(ascii: "\n") {
      bytes[at] = UInt8(ascii: " ")
    }
  }

  /// Ends the text and the line; another text may follow.
  package mutating func endLine() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  private mutating func fixedPoint(_ units: Int64, scale: Int64) {
    separate()
    if units < 0 { bytes.append(UInt8(ascii: "-")) }
    let magnitude = units.magnitude
    bytes.append(contentsOf: String(magnitude / scale.magnitude).utf8)
    bytes.append(UInt8(ascii: "."))
    var rest = magnitude % scale.magnitude
    var place = scale.magnitude / 10
    repeat {
      bytes.append(0x30 + UInt8(truncatingIfNeeded: rest / place))
      rest %= place
      place /= 10
    } while rest > 0
  }

  private mutating func literal(_ text: StaticString) {
    separate()
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  /// Before a name or a value: the comma, if one is due.
  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }
}
