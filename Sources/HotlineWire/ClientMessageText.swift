package import HotlineCore

extension JSONText {
  /// Decodes the first characters, walking no further, however long the string is.
  ///
  /// Characters are Unicode scalars with escapes resolved; a lone surrogate counts as one.
  /// - Returns: The decoded characters, and whether they are the whole string.
  package func opening(
    _ charactersMax: Int, in bytes: UnsafeRawBufferPointer
  ) -> (decoded: ByteString, isWhole: Bool) {
    var end = contents.lowerBound
    var characters = 0
    while end < contents.upperBound, characters < charactersMax {
      end = min(end + spelledLength(at: end, in: bytes), contents.upperBound)
      characters += 1
    }
    let opening = JSONText(contents: contents.lowerBound..<end, hasEscapes: hasEscapes)
    return (opening.decoded(in: bytes), end == contents.upperBound)
  }

  /// Bytes that spell the character at `offset`; the scanner has seen that they are well-formed.
  private func spelledLength(at offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
    let lead = bytes[offset]
    guard lead == UInt8(ascii: "\\") else {
      return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    }
    guard let unit = escapedUnit(at: offset, in: bytes) else { return 2 }
    guard (0xD8...0xDB).contains(unit), let next = escapedUnit(at: offset + 6, in: bytes) else {
      return 6
    }
    return (0xDC...0xDF).contains(next) ? 12 : 6
  }

  /// The high byte of the `\uXXXX` at `offset`; `nil` if something else stands there.
  private func escapedUnit(at offset: Int, in bytes: UnsafeRawBufferPointer) -> UInt8? {
    guard offset + 6 <= contents.upperBound, bytes[offset] == UInt8(ascii: "\\"),
      bytes[offset + 1] == UInt8(ascii: "u"),
      let high = JSONWord.hexValue(bytes[offset + 2]),
      let low = JSONWord.hexValue(bytes[offset + 3])
    else { return nil }
    return high << 4 | low
  }

  /// The first characters for a message to a person, without what could disturb a terminal.
  func shown(_ charactersMax: Int, in bytes: UnsafeRawBufferPointer) -> String {
    let (decoded, isWhole) = opening(charactersMax, in: bytes)
    var shown = ""
    for scalar in decoded.description.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        shown.unicodeScalars.append("\u{FFFD}")
      default:
        shown.unicodeScalars.append(scalar)
      }
    }
    return isWhole ? shown : shown + "…"
  }
}

extension JSONValue {
  /// The value of an option for a message to a person: a scalar with at most `charactersMax`
  /// characters, of an object or array only what it is.
  func shown(_ charactersMax: Int, in bytes: UnsafeRawBufferPointer) -> String {
    switch kind {
    case .object, .array, .true, .false, .null: return kind.noun
    case .number:
      return JSONText(contents: range, hasEscapes: false).shown(charactersMax, in: bytes)
    case .string: return "\"\(text?.shown(charactersMax, in: bytes) ?? "")\""
    }
  }
}

extension JSONKind {
  /// What a value of this kind is called in a message.
  var noun: String {
    switch self {
    case .object: "an object"
    case .array: "an array"
    case .string: "a string"
    case .number: "a number"
    case .true: "true"
    case .false: "false"
    case .null: "null"
    }
  }
}

extension ByteString {
  /// C0, DEL or C1, or a surrogate that is no character at all.
  var hasControlsOrSurrogates: Bool {
    var previous: UInt8 = 0
    for byte in bytes {
      if byte < 0x20 || byte == 0x7F { return true }
      if previous == 0xC2, byte < 0xA0 { return true }
      if previous == 0xED, byte >= 0xA0 { return true }
      previous = byte
    }
    return false
  }
}

extension HotlineError {
  static func refusal(_ code: Code, _ detail: String, param: String? = nil) -> Self {
    HotlineError(code, detail, origin: .client, param: param)
  }

  static func invalidRequest(_ detail: String, param: String? = nil) -> Self {
    refusal(.invalidRequest, detail, param: param)
  }

  static func invalidJSON(_ error: JSONError, _ limits: ClientMessage.Limits) -> Self {
    guard error.reason == .depthExceeded else {
      return refusal(
        .invalidJSON,
        "the line is not one JSON document: \(error); have a JSON library write one object a line")
    }
    return refusal(
      .invalidJSON,
      "the line nests objects and arrays more than \(limits.depthMax) deep (socket.nesting_max), "
        + "at byte \(error.offset); nest less or raise the limit")
  }
}
