/// Columns of text, as wide as their widest cell; the last one is not padded.
struct TextTable {
  private var rows: [[String]]

  init(header: [String]) {
    rows = [header]
  }

  var isEmpty: Bool { rows.count == 1 }

  mutating func append(_ cells: [String]) {
    rows.append(cells.map { PrintableText.line($0) })
  }

  var text: String {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        column == row.count - 1
          ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
      }
      return cells.joined() + "\n"
    }.joined()
  }
}
