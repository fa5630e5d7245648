import Testing

@Suite struct ImportTests {
  @Test func theCoreImportsNothingButCollections() {
    for file in SourceTree.target("HotlineCore") {
      for (number, module) in file.imports
      where !["DequeModule", "HeapModule"].contains(module) {
        Issue.record("\(file.path):\(number): imports \(module)")
      }
    }
  }

  /// Time and chance are arguments there; what cannot be replayed cannot be simulated.
  @Test(arguments: [".now", "Task", "random(", "async ", "await ", "Mutex", "DispatchQueue"])
  func theCoreNeverMentions(word: String) {
    for file in SourceTree.target("HotlineCore") {
      for (number, line) in file.code where contains(word, line) {
        Issue.record("\(file.path):\(number): \(word)")
      }
    }
  }

  /// As a whole word.
  private func contains(_ word: String, _ line: String) -> Bool {
    line.ranges(of: word).contains { range in
      let next = range.upperBound < line.endIndex ? line[range.upperBound] : " "
      let isWhole = !(word.last?.isLetter ?? false) || !(next.isLetter || next.isNumber)
      guard word.first?.isLetter == true, range.lowerBound > line.startIndex else { return isWhole }
      let previous = line[line.index(before: range.lowerBound)]
      return isWhole && !previous.isLetter && !previous.isNumber
    }
  }

  @Test func aWordIsFoundAsAWhole() {
    #expect(contains("Task", "  Task {"))
    #expect(contains("random(", "Int.random(in: 1...2)"))
    #expect(contains(".now", "ContinuousClock.now"))
    #expect(!contains("Task", "TaskList"))
    #expect(!contains(".now", "self.nowhere"))
  }

  /// The simulator is the daemon's independent peer, so it has its own way to OpenSSL.
  @Test(arguments: [
    ("COpenSSL", ["HotlineTLS", "HotlineSimulator", "TestSupport", "HotlineTLSTests"]),
    ("CSystemd", ["HotlineSystem"]),
    ("CZlib", ["HotlineDeflate", "TestSupport"]),
  ])
  func eachCLibraryHasItsOwner(library: String, owners: [String]) {
    for file in SourceTree.swift where file.imports.contains(where: { $0.module == library }) {
      let target = file.path.split(separator: "/")[1]
      #expect(owners.contains(String(target)), "\(file.path) imports \(library)")
    }
  }

  /// What Foundation costs at start and in size is not to come back unnoticed.
  @Test(arguments: [
    "HotlineCore", "HotlineWire", "HotlineTLS", "HotlineDeflate", "HotlineTransport",
    "HotlineSystem", "HotlineDaemon", "hotlined", "hotline",
  ])
  func noFoundation(target: String) {
    for file in SourceTree.target(target) {
      #expect(!file.imports.contains { $0.module.hasPrefix("Foundation") }, "\(file.path)")
    }
  }

  @Test(arguments: [
    "HotlineCore", "HotlineWire", "HotlineTLS", "HotlineDeflate", "HotlineSystem", "hotline",
  ])
  func noEventLoop(target: String) {
    for file in SourceTree.target(target) {
      #expect(!file.imports.contains { $0.module.hasPrefix("NIO") }, "\(file.path)")
    }
  }

  @Test func nothingIsPublic() {
    for file in SourceTree.swift {
      for (number, line) in file.code {
        let words = line.split(separator: " ").drop { $0.hasPrefix("@") }
        let declares = words.dropFirst().first.map { !$0.hasPrefix("=") } ?? false
        guard let first = words.first, ["public", "open"].contains(first), declares else {
          continue
        }
        Issue.record("\(file.path):\(number): package is enough")
      }
    }
  }
}
