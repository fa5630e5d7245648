import Testing

/// Mistakes that a test build makes to order must not be shipped.
@Suite struct PlantedFaultTests {
  private static let flag = "HOTLINE_PLANTED_" + "FAULTS"

  @Test func onlyTheSimulationIsBuiltWithThem() {
    for file in SourceTree.all {
      let mayName = [
        "Sources/HotlineCore/", "Tests/HotlineSimulation/", "Tests/simulate/",
        "Tests/TidyTests/PlantedFaultTests.swift", "contrib/simulate",
      ].contains { file.path.hasPrefix($0) }
      guard !mayName else { continue }
      #expect(!file.text.contains(Self.flag), "\(file.path) names \(Self.flag)")
    }
  }

  @Test func inTheSourcesTheyAreAlwaysConditional() {
    for file in SourceTree.swift where file.path.hasPrefix("Sources/") {
      // One for each open condition: whether what it holds is left out without the flag.
      var conditions: [Bool] = []
      for (number, line) in file.code {
        let words = line.split(separator: " ")
        switch words.first {
        case "#if": conditions.append(words.dropFirst() == [Self.flag[...]])
        case "#else", "#elseif":
          if conditions.popLast() != nil { conditions.append(false) }
        case "#endif": _ = conditions.popLast()
        default:
          guard line.contains("PlantedFault"), !conditions.contains(true) else { continue }
          Issue.record("\(file.path):\(number): a planted fault without #if \(Self.flag)")
        }
      }
    }
  }
}
