import TOMLKit

/// A configuration file's bytes, parsed, with the duplicates already told.
struct ConfigurationDocument {
  let table: TOMLTable
  let outline: TOMLOutline
  private(set) var problems: [ConfigurationProblem] = []

  /// - Throws: ``ConfigurationError`` where there is no TOML document to look into.
  init(_ bytes: [UInt8]) throws(ConfigurationError) {
    if let problem = Self.unparsable(bytes) { throw ConfigurationError([problem]) }
    outline = TOMLOutline(bytes)
    if let trap = outline.trap {
      let message =
        switch trap.kind {
        case .headerWithoutKey: "not valid TOML: a table's header has to be [NAME]"
        case .missingValue: "not valid TOML: a value is missing; give one, or remove the key"
        case .tooManyParts: "a key of more than \(Schema.keyPartsMax) parts; no key has so many"
        case .date: "no key takes a date or time; a text has to stand in quotes"
        }
      let statement = outline.statements.last { $0.line <= trap.line }
      let isNamed = trap.kind == .missingValue || trap.kind == .date
      let path = isNamed ? statement.map { Showable.path($0.path) } : nil
      throw ConfigurationError([.init(path ?? "", message, line: trap.line)])
    }
    // The parser stops at the first mistake. A duplicate that it stopped at is blanked out, so that
    // the rest is looked at too.
    let duplicates = Self.duplicates(outline)
    var text = bytes
    while true {
      do {
        table = try TOMLTable(string: String(decoding: text, as: UTF8.self))
        return
      } catch {
        let error = error as? TOMLParseError
        guard let error, error.description.contains("cannot redefine"),
          let duplicate = duplicates.first(where: {
            $0.statements[0].line == error.source.begin.line
              && text[$0.statements[0].range.lowerBound] != 0x20
          })
        else {
          problems.append(Self.problem(error, outline))
          throw ConfigurationError(problems)
        }
        problems.append(Self.problem(duplicate, bytes))
        Self.blank(duplicate, in: &text)
      }
    }
  }

  private static func blank(_ duplicate: Duplicate, in text: inout [UInt8]) {
    for statement in duplicate.statements {
      for index in statement.range where text[index] != 0x0A { text[index] = 0x20 }
    }
  }

  /// What must not reach the parser: it takes a C string and gives C strings back, so a NUL would
  /// silently end the document or a value.
  private static func unparsable(_ bytes: [UInt8]) -> ConfigurationProblem? {
    func line(at index: Int) -> Int { bytes[..<index].count { $0 == 0x0A } + 1 }
    if let index = bytes.firstIndex(of: 0) {
      return .init("", "a NUL byte is not valid TOML; remove it", line: line(at: index))
    }
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var position = 0
    parsing: while true {
      switch parser.parseScalar(from: &iterator) {
      case .valid(let scalar): position += scalar.count
      case .emptyInput: break parsing
      case .error:
        return .init("", "not UTF-8; save the file as UTF-8", line: line(at: position))
      }
    }
    for escape in ["\\u0000", "\\U00000000"] {
      guard let range = bytes.firstRange(of: escape.utf8) else { continue }
      return .init(
        "", "\(escape) is not taken; no value may have a NUL in it",
        line: line(at: range.lowerBound))
    }
    return nil
  }

  private struct Duplicate {
    var first: TOMLOutline.Statement
    /// The later one; for a table's header, all that stands under it too.
    var statements: [TOMLOutline.Statement]
  }

  private static func duplicates(_ outline: TOMLOutline) -> [Duplicate] {
    var firsts: [[String]: TOMLOutline.Statement] = [:]
    var found: [Duplicate] = []
    let arrays = outline.statements.filter(\.isArrayHeader).map(\.path)
    var isInDuplicate = false
    for statement in outline.statements where !arrays.contains(where: statement.path.starts) {
      if statement.isHeader { isInDuplicate = false }
      if isInDuplicate {
        found[found.count - 1].statements.append(statement)
      } else if let first = firsts[statement.path], first.isHeader == statement.isHeader {
        found.append(Duplicate(first: first, statements: [statement]))
        isInDuplicate = statement.isHeader
      } else if firsts[statement.path] == nil {
        firsts[statement.path] = statement
      }
    }
    return found
  }

  private static func problem(_ duplicate: Duplicate, _ bytes: [UInt8]) -> ConfigurationProblem {
    let path = duplicate.first.path
    let again = duplicate.statements[0]
    var message = "stands here again"
    if !again.isHeader, Schema.isKnown(path), !Showable.isSecret(path),
      !["url", "proxy"].contains(path.last)
    {
      let value = String(decoding: bytes[again.value], as: UTF8.self)
      message += ", as " + Showable.quoted(trimmed(value))
    }
    message += "; keep this one or the one in line \(duplicate.first.line)"
    return .init(Showable.path(path), message, line: again.line)
  }

  private static func trimmed(_ text: String) -> String {
    let blanks: Set<Character> = [" ", "\t", "\r", "\r\n", "\n"]
    let head = text.drop { blanks.contains($0) }
    let kept = head.reversed().drop { blanks.contains($0) }
    return String(kept.reversed())
  }

  /// The parser's words without what they quote of the document: that may be a key without quotes.
  private static func problem(
    _ error: TOMLParseError?, _ outline: TOMLOutline
  ) -> ConfigurationProblem {
    guard let error else { return .init("", "not valid TOML") }
    var text = Substring(error.description)
    if let saw = text.firstRange(of: ", saw") { text = text[..<saw.lowerBound] }
    if text.contains("cannot redefine") {
      text = "this key or table stands here again, as something else; keep one of them"
    } else if text.contains("is not representable") {
      text = "a number that does not fit into 64 bits"
    } else if text.contains("could not determine value type") {
      text = "this is no value; a text has to stand in quotes"
    } else if !text.contains(": expected "), let quote = text.firstIndex(of: "'") {
      text = text[..<quote]
      while text.last == " " { text.removeLast() }
    }
    let line = error.source.begin.line
    let statement = outline.statements.last { $0.line <= line }
    return .init(
      statement.map { Showable.path($0.path) } ?? "", "not valid TOML: " + text, line: line,
      column: error.source.begin.column)
  }
}
