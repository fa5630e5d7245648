import HotlineCore
import Testing

@testable import HotlineDaemon

@Suite struct DocumentTests {
  /// What stands behind a macro of a manual page, the macro's other words left out.
  private func items(_ macro: String, in page: String) throws -> [String] {
    let file = try #require(SourceTree.file("Packaging/man/\(page)"))
    return file.lines.compactMap { line in
      guard line.hasPrefix(macro + " ") else { return nil }
      let words = line.dropFirst(macro.count + 1).split(separator: " ")
      return words.first.map { String($0).replacing("\\-", with: "-") }
    }
  }

  @Test func everyErrorCodeIsInTheManualOnce() throws {
    let documented = try items(".It Er", in: "hotline-protocol.7")
    #expect(Set(documented) == Set(HotlineError.Code.allCases.map(\.rawValue)))
    // One code both refuses requests and ends them.
    let twice = Dictionary(grouping: documented, by: \.self).filter { $0.value.count > 1 }.keys
    #expect(Set(twice) == ["shutting_down"])
  }

  /// Every key of the configuration, with its table as the manual writes it.
  private static let keys =
    Schema.rootKeys.filter { !Schema.tables.contains($0) } + Schema.socketKeys + Schema.queueKeys
    + Schema.defaultsKeys + Schema.metricsKeys + Schema.priceKeys + Schema.tagKeys
    + Schema.upstreamKeys

  @Test func everyKeyOfTheConfigurationIsInTheManual() throws {
    #expect(try items(".It Ic", in: "hotline.toml.5").sorted() == Self.keys.sorted())
  }

  @Test func everyKeyOfTheConfigurationIsInTheExample() throws {
    let example = try #require(SourceTree.file("Packaging/config.toml"))
    let keys = example.lines.compactMap { line -> String? in
      guard line.hasPrefix("#"), line.dropFirst().first?.isLetter == true else { return nil }
      let parts = line.dropFirst().split(separator: "=", maxSplits: 1)
      return parts.count == 2 ? parts[0].trimmingSuffix { $0 == " " } : nil
    }
    // It excludes api_key_file, so the example only speaks of it.
    #expect((keys + ["api_key"]).sorted() == Self.keys.sorted())
    #expect(example.text.contains("api_key = \"none\""))
  }

  /// With every line in force it is a configuration, and one that changes nothing but what it says.
  @Test func theExampleIsAConfigurationWithItsLinesInForce() throws {
    let example = try #require(SourceTree.file("Packaging/config.toml"))
    let lines = example.lines.map { line in
      line.hasPrefix("#") && line.dropFirst().first?.isLetter == true
        ? String(line.dropFirst()) : line
    }
    let text = Array(lines.joined(separator: "\n").utf8)
    let surroundings = Surroundings(
      environment: ["XDG_CONFIG_HOME": "/etc/xdg"], home: "/home/ann",
      readFile: { _, _ in .success(text) }, readSecret: { _ in .success(nil) })
    let configuration = try Configuration.load(CommandLineOptions(), in: surroundings)
    #expect(configuration.limits == Limits())
    #expect(configuration.upstreams.map(\.limits) == [UpstreamLimits()])
    #expect(configuration.upstreams.map(\.url) == [Preset.smartAIPI.endpoint.text])
  }

  @Test func everyOptionOfTheDaemonIsInItsManual() throws {
    let source = try #require(SourceTree.file("Sources/hotlined/Hotlined.swift"))
    let declared = source.lines.compactMap { line -> String? in
      guard line.hasPrefix("  var ") else { return nil }
      let name = line.dropFirst(6).prefix { $0.isLetter || $0.isNumber }
      return name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
    }
    #expect(declared.count >= 6)
    let documented = try items(".It Fl", in: "hotlined.8")
    for option in declared {
      #expect(documented.contains("-" + option), "hotlined.8 does not name --\(option)")
    }
  }

  /// The journal explains the messages that have a number, and no others.
  @Test func everyNumberedMessageIsInTheCatalogOnce() throws {
    let catalog = try #require(SourceTree.file("Packaging/systemd/hotline.catalog"))
    let ids = catalog.lines.filter { $0.hasPrefix("-- ") }.map { String($0.dropFirst(3)) }
    #expect(ids.sorted() == LogMessage.allCases.map(\.id).sorted())
    #expect(Set(ids).count == ids.count)
    let code = SourceTree.target("HotlineDaemon").filter { $0.name != "LogMessage.swift" }
    for message in LogMessage.allCases {
      // Longer ones stand on several lines.
      let words = message.rawValue.prefix(60)
      #expect(code.contains { $0.text.contains(words) }, "nobody logs \"\(message.rawValue)\"")
    }
  }

  /// README speaks of nothing that is not there.
  @Test func theFilesThatREADMENamesExist() throws {
    let readme = try #require(SourceTree.file("README.md"))
    let words = readme.text.split { !($0.isLetter || $0.isNumber || "./-_".contains($0)) }
    let paths = Set(words.filter { $0.hasPrefix("contrib/") || $0.hasPrefix("Packaging/") })
    #expect(paths.count > 4)
    for path in paths {
      let plain = path.last == "." ? path.dropLast() : path
      let exists =
        SourceTree.isDirectory(String(plain)) || SourceTree.file(String(plain)) != nil
      #expect(exists, "README.md names \(plain)")
    }
  }

  @Test func thePageHasThePresetsPricesAndTheirDate() throws {
    let page = try #require(SourceTree.file("Packaging/man/hotline.toml.5")).text
    #expect(page.contains("as of \(Preset.pricesDate)"))
    for (model, price) in Preset.smartAIPI.prices {
      let output = try #require(price.output)
      let cents = Int((output * 100).rounded())
      let text = "\(cents / 100).\(String(100 + cents % 100).dropFirst())"
      #expect(page.contains(".Ql \(model)\n(\(text))"), "\(model)")
    }
  }
}

extension Substring {
  fileprivate func trimmingSuffix(while isSuffix: (Character) -> Bool) -> String {
    var rest = self
    while let last = rest.last, isSuffix(last) { rest.removeLast() }
    return String(rest)
  }
}
