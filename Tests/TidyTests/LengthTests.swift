import Testing

@Suite struct LengthTests {
  static let lineCharactersMax = 100
  static let functionLinesMax = 60
  static let fileLinesMax = 500

  /// Functions over the limit, as `path: first line`. This list only shrinks.
  static let longFunctions: Set<String> = [
    "Tests/HotlineDaemonTests/ConfigurationTests.swift: "
      + "@Test func everyKeyReachesItsField() throws {"
  ]

  @Test func theTreeIsFound() {
    #expect(SourceTree.swift.count > 100)
    #expect(SourceTree.swift.contains { $0.path == "Tests/TidyTests/LengthTests.swift" })
  }

  @Test func noLineHasMoreThanAHundredCharacters() {
    for file in SourceTree.swift {
      for (index, line) in file.lines.enumerated() where line.count > Self.lineCharactersMax {
        Issue.record("\(file.path):\(index + 1): \(line.count) characters")
      }
    }
  }

  @Test func noFileHasMoreThanFiveHundredLines() {
    for file in SourceTree.swift where file.lines.count > Self.fileLinesMax {
      Issue.record("\(file.path): \(file.lines.count) lines")
    }
  }

  @Test func noFunctionHasMoreThanSixtyLines() {
    var exceptions = Self.longFunctions
    for file in SourceTree.swift {
      for function in FunctionSpan.all(in: file.lines)
      where function.lineCount > Self.functionLinesMax {
        let name = "\(file.path): \(function.firstLine)"
        guard exceptions.remove(name) == nil else { continue }
        Issue.record("\(file.path):\(function.number): \(function.lineCount) lines")
      }
    }
    for name in exceptions {
      Issue.record("\(name): no longer over the limit; take it off the list of exceptions")
    }
  }

  @Test func functionsAreMeasuredFromTheirFirstLineToTheirBrace() {
    let lines = """
      struct S {
        let a = 1
        func short() { a }
        func long(
          _ b: Int
        ) throws -> Int {
          if b > 0 {
            return 1
          }

          return 2
        }
        init() {
        }
        var computed: Int {
          1
        }
      }
      protocol P {
        func bare()
      }
      """.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(
      FunctionSpan.all(in: lines) == [
        FunctionSpan(number: 4, lineCount: 9, firstLine: "func long("),
        FunctionSpan(number: 13, lineCount: 2, firstLine: "init() {"),
        FunctionSpan(number: 15, lineCount: 3, firstLine: "var computed: Int {"),
      ])
  }
}

/// Where a function begins and how long it is, told by the formatter's indentation.
struct FunctionSpan: Equatable {
  var number: Int
  var lineCount: Int
  var firstLine: String

  static func all(in lines: [String]) -> [FunctionSpan] {
    lines.indices.compactMap { span(in: lines, at: $0) }
  }

  private static func span(in lines: [String], at start: Int) -> FunctionSpan? {
    let line = lines[start]
    guard isBeginning(line) else { return nil }
    let indentation = line.prefix { $0 == " " }.count
    if line.hasSuffix("}") { return nil }
    for end in lines.indices[(start + 1)...] where !lines[end].isEmpty {
      let deeper = lines[end].prefix { $0 == " " }.count
      if deeper > indentation { continue }
      let rest = lines[end].dropFirst(deeper)
      if deeper < indentation { return nil }
      if rest.hasPrefix("}") {
        return FunctionSpan(
          number: start + 1, lineCount: end - start + 1,
          firstLine: String(line.dropFirst(indentation)))
      }
      // The rest of a signature that did not fit on one line.
      guard ")-{w".contains(rest.first ?? "x"), !lines[start].hasSuffix("{") else { return nil }
    }
    return nil
  }

  private static func isBeginning(_ line: String) -> Bool {
    let words = line.split(separator: " ")
    for word in words {
      switch word {
      case "func", "init", "deinit", "subscript": return true
      case "var", "let": return line.hasSuffix("{")
      default:
        if word.hasPrefix("init(") || word.hasPrefix("init?(") || word.hasPrefix("subscript(") {
          return true
        }
        guard modifiers.contains(word) || word.hasPrefix("@") else { return false }
      }
    }
    return false
  }

  private static let modifiers: Set<Substring> = [
    "package", "private", "fileprivate", "internal", "static", "mutating", "override", "final",
    "lazy", "convenience", "nonisolated", "borrowing", "consuming", "private(set)",
    "fileprivate(set)", "package(set)", "required", "weak", "prefix", "indirect",
  ]
}
