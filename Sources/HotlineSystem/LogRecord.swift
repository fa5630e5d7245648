import Logging

/// One thing to be logged, in text that is harmless already.
struct LogRecord {
  struct Field: Hashable {
    let name: String
    let value: String
  }

  let level: Logger.Level
  let message: String
  /// By name.
  var fields: [Field]
  /// Of the messages that programs look for, see ``LogMessageIDs``.
  var messageID: String?
  let file: String
  let line: UInt
  let function: String

  init(_ event: LogEvent, _ metadata: Logger.Metadata) {
    level = event.level
    message = LogText.sanitized(event.message.description)
    fields = metadata.sorted { $0.key < $1.key }.map { key, value in
      Field(name: LogText.sanitized(key), value: LogText.sanitized(value.description))
    }
    if let error = event.error {
      fields.append(Field(name: "error", value: LogText.sanitized(String(describing: error))))
    }
    file = event.file
    line = event.line
    function = event.function
  }

  func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }

  /// `message name=value name="a value"`
  var text: String {
    fields.reduce(message) { $0 + " \($1.name)=\(Self.quoted($1.value))" }
  }

  /// A value that ends at a space needs no quotes; all others get them.
  private static func quoted(_ text: String) -> String {
    let needsQuotes = text.isEmpty || text.utf8.contains { $0 == 0x20 || $0 == 0x22 || $0 == 0x3D }
    return needsQuotes ? "\"" + escaped(text, "\"") + "\"" : text
  }

  /// `text` with a backslash before each of these characters.
  private static func escaped(_ text: String, _ characters: String) -> String {
    var result = ""
    for character in text {
      if characters.contains(character) { result += "\\" }
      result.append(character)
    }
    return result
  }

  // MARK: JSON

  /// One JSON object; `names` are never those of fields.
  func json(time: String) -> String {
    let longest = StandardErrorLog.lineBytesMax / 4
    let head: [Field] = [
      Field(name: "time", value: time), Field(name: "level", value: level.rawValue),
      Field(name: "message", value: LogText.cut(message, bytesMax: longest)),
    ]
    var bytes = 2
    var members: [String] = []
    for (index, field) in (head + fields).enumerated() {
      let isOwn = index >= head.count && ["time", "level", "message"].contains(field.name)
      let name = isOwn ? field.name + "_" : field.name
      let value = LogText.cut(field.value, bytesMax: longest)
      let member = "\(Self.jsonString(name)):\(Self.jsonString(value))"
      bytes += member.utf8.count + 1
      // A line that is cut would be no JSON.
      guard bytes < StandardErrorLog.lineBytesMax else { break }
      members.append(member)
    }
    return "{" + members.joined(separator: ",") + "}"
  }

  /// There are no control characters left to escape.
  private static func jsonString(_ text: String) -> String {
    "\"" + escaped(text, "\"\\") + "\""
  }

  // MARK: Journal

  /// Longest value of a field, so that all of them fit into one datagram.
  private static let journalValueBytesMax = 16 << 10
  private static let journalFieldsMax = 64

  /// In the journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a field a line, for no
  /// value has a line feed in it.
  func journalEntry(identifier: String) -> [UInt8] {
    var entry: [(String, String)] = [
      ("MESSAGE", text), ("PRIORITY", "\(level.syslogPriority)"),
      ("SYSLOG_IDENTIFIER", identifier), ("CODE_FILE", file), ("CODE_LINE", "\(line)"),
      ("CODE_FUNC", function),
    ]
    if let messageID { entry.append(("MESSAGE_ID", messageID)) }
    for field in fields.prefix(Self.journalFieldsMax) {
      entry.append((Self.journalName(field.name), field.value))
    }
    var bytes: [UInt8] = []
    for (name, value) in entry {
      bytes += Array(name.utf8)
      bytes.append(UInt8(ascii: "="))
      bytes += Array(LogText.cut(value, bytesMax: Self.journalValueBytesMax).utf8)
      bytes.append(UInt8(ascii: "\n"))
    }
    return bytes
  }

  /// `HOTLINE_UPSTREAM` of `upstream`; at most 64 bytes (systemd.journal-fields(7)).
  private static func journalName(_ name: String) -> String {
    let letters = name.uppercased().utf8.map { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
      default: UInt8(ascii: "_")
      }
    }
    return "HOTLINE_" + String(decoding: letters.prefix(56), as: UTF8.self)
  }
}

extension Logger.Level {
  /// The priority of syslog(3) that sd-daemon(3) prefixes stand for.
  var syslogPriority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
