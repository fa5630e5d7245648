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

  /// The simulator is the daemon's independent peer, so it has its own way to OpenSSL and zlib.
  @Test(arguments: [
    ("CEpoll", ["HotlineTransport"]),
    ("COpenSSL", ["HotlineTLS", "HotlineSimulator", "TestSupport", "HotlineTLSTests"]),
    ("CSystemd", ["HotlineSystem"]),
    ("CZlib", ["HotlineDeflate", "HotlineSimulator", "TestSupport"]),
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

  /// What could make a client of OpenSSL's take a certificate that is not good. The level is only
  /// ever raised, and the callback adds pins to what is verified, as other tests show.
  @Test func verificationIsTurnedOnInOnePlaceAndNowhereOff() {
    let words = [
      "SSL_VERIFY_", "set_verify", "verify_callback", "cert_verify", "VERIFY_PARAM_set_flags",
      "VERIFY_PARAM_clear_flags", "X509_V_FLAG_", "set_security_level", "SECLEVEL", "dane_",
    ]
    let clients = SourceTree.all.filter { file in
      file.path.hasPrefix("Sources/") && !file.path.hasPrefix("Sources/HotlineSimulator/")
        && (file.name.hasSuffix(".swift") || file.name == "shim.h")
    }
    let found = clients.flatMap { file in
      file.code.filter { line in words.contains { line.text.contains($0) } }
        .map { "\(file.name): \($0.text.drop { $0 == " " })" }
    }
    #expect(
      found == [
        "TLSContext.swift: SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)",
        "TLSContext.swift: SSL_CTX_set_security_level(pointer, Self.securityLevelMin)",
        "TLSContext.swift: SSL_CTX_set_cert_verify_callback(",
      ])
  }

  /// What of the environment the daemon looks at can be read in few places, none of which is about
  /// verification but the first, which names the system's authorities as OpenSSL does.
  @Test func theEnvironmentIsReadInFewPlaces() {
    let daemon = SourceTree.all.filter { file in
      file.path.hasPrefix("Sources/") && file.name.hasSuffix(".swift")
        && !["Sources/hotline/", "Sources/HotlineSimulator/", "Sources/hotline-simulator/"]
          .contains { file.path.hasPrefix($0) }
    }
    let words = ["getenv", "environ", "ProcessInfo"]
    let places = daemon.filter { file in
      file.code.contains { line in words.contains { contains($0, line.text) } }
    }
    #expect(
      Set(places.map(\.name)) == [
        "TLSSystemTrust.swift", "Surroundings.swift", "SecretSource.swift", "LogOutput.swift",
        "ServiceNotifier.swift",
      ])
  }

  /// It has no TLS of its own, so no flag of it can weaken any.
  @Test func theClientKnowsNoTLS() {
    for file in SourceTree.target("hotline") {
      #expect(!file.imports.contains { ["HotlineTLS", "COpenSSL"].contains($0.module) })
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
