/// JSON as text: what the simulator's events are written with.
enum JSONText {
  /// The text as a JSON string with its quotes (RFC 8259 section 7).
  static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count + 2)
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case UInt8(ascii: "\n"):
        bytes.append(contentsOf: #"\n"#.utf8)
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        bytes.append(contentsOf: (digits.utf8.count == 1 ? #"\u000"# : #"\u00"#).utf8)
        bytes.append(contentsOf: digits.utf8)
      default:
        bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
    return String(decoding: bytes, as: UTF8.self)
  }

  static func quotedOrNull(_ text: String?) -> String {
    text.map(quoted) ?? "null"
  }

  /// The same JSON with a line break after each opening bracket and each comma, two spaces of
  /// indentation a level, and CR LF at one place in two, as both are white space to JSON.
  static func spreadOverLines(_ json: String) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(json.utf8.count * 2)
    var depth = 0
    var isInString = false
    var isEscaped = false
    var breaks = 0
    func breakLine() {
      breaks += 1
      if breaks.isMultiple(of: 2) { bytes.append(UInt8(ascii: "\r")) }
      bytes.append(UInt8(ascii: "\n"))
      bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: max(0, depth) * 2))
    }
    for byte in json.utf8 {
      if isInString {
        bytes.append(byte)
        isInString = isEscaped || byte != UInt8(ascii: "\"")
        isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        continue
      }
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        bytes.append(byte)
        depth += 1
        breakLine()
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        breakLine()
        bytes.append(byte)
      case UInt8(ascii: ","):
        bytes.append(byte)
        breakLine()
      case UInt8(ascii: ":"):
        bytes.append(byte)
        bytes.append(UInt8(ascii: " "))
      default:
        isInString = byte == UInt8(ascii: "\"")
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
