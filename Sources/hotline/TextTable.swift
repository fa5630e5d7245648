/// Columns of text, as wide as their widest cell; the last one is not padded.
struct TextTable {
  private var rows: [[String]]
  private let indent: Int

  init(indent: Int = 0, header: [String]) {
    rows = [header]
    self.indent = indent
  }

  var isEmpty: Bool { rows.count == 1 }

  mutating func append(_ cells: [String]) {
    rows.append(cells.map { PrintableText.line($0) })
  }

  /// - Parameter columns: a longer line is cut there, with an ellipsis.
  func text(columns: Int, _ style: TextStyle) -> String {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.columns)
      }
    }
    let margin = String(repeating: " ", count: indent)
    return rows.enumerated().map { number, row in
      let cells = row.enumerated().map { column, cell in
        column == row.count - 1 ? cell : cell.padded(toColumns: widths[column] + 2)
      }
      let line = (margin + cells.joined()).cut(toColumns: columns)
      return (number == 0 ? style.apply(.strong, line) : line) + "\n"
    }.joined()
  }
}
