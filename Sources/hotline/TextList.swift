/// A label and a text on each line, the texts under one another.
struct TextList {
  private var entries: [(label: String, text: String, emphasis: TextStyle.Emphasis?)] = []
  private let indent: Int

  init(indent: Int) {
    self.indent = indent
  }

  /// Leaves out what is not known.
  mutating func append(
    _ label: String, _ text: String?, _ emphasis: TextStyle.Emphasis? = nil
  ) {
    guard let text else { return }
    entries.append((PrintableText.line(label), PrintableText.line(text), emphasis))
  }

  /// - Parameter columns: longer texts go on in the next line, under their beginning.
  func text(columns: Int, _ style: TextStyle) -> String {
    let labelsMax = max(0, columns / 2 - indent)
    let labelWidth = min(entries.map(\.label.count).max() ?? 0, labelsMax) + 2
    let margin = String(repeating: " ", count: indent)
    var page = ""
    for (label, text, emphasis) in entries {
      var label = label.prefix(labelsMax)
      for part in Self.broken(text, columns: max(1, columns - indent - labelWidth)) {
        let padding = String(repeating: " ", count: labelWidth - label.count)
        page += margin + label + padding + (emphasis.map { style.apply($0, part) } ?? part) + "\n"
        label = ""
      }
    }
    return page
  }

  /// Breaks a line between words, and inside of one that is longer than a line.
  static func broken(_ text: String, columns: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count <= columns {
        line += " " + word
        continue
      }
      if !line.isEmpty { lines.append(line) }
      var rest = word
      while rest.count > columns {
        lines.append(String(rest.prefix(columns)))
        rest = rest.dropFirst(columns)
      }
      line = String(rest)
    }
    if !line.isEmpty || lines.isEmpty { lines.append(line) }
    return lines
  }
}
