import Testing

@testable import hotline

/// Text in columns, whatever script it is in.
@Suite struct TextTableTests {
  @Test(arguments: [
    ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("東京", 4), ("한글", 4), ("ｗ", 2), ("🚀", 2),
    ("a東b", 4), ("…", 1), ("\u{1F468}\u{200D}\u{1F469}", 2),
  ])
  func someCharactersTakeTwoColumns(_ text: String, _ columns: Int) {
    #expect(text.columns == columns)
  }

  @Test(arguments: [
    ("abcd", 4, "abcd"), ("abcde", 4, "abc…"), ("東京", 4, "東京"), ("東京都", 4, "東…"),
    ("東京都", 5, "東京…"), ("a東京", 4, "a東…"), ("ab", 1, "…"),
  ])
  func whatIsTooWideIsCutBetweenCharacters(_ text: String, _ columns: Int, _ cut: String) {
    #expect(text.cut(toColumns: columns) == cut)
    #expect(cut.columns <= columns)
  }

  @Test func cellsStandBelowEachOther() {
    var table = TextTable(header: ["TAG", "PID"])
    table.append(["東京", "1"])
    table.append(["night", "2"])
    #expect(table.text(columns: 80, .plain) == "TAG    PID\n東京   1\nnight  2\n")
    #expect(table.text(columns: 6, .plain) == "TAG  …\n東京 …\nnight…\n")
  }
}
