import Testing

@testable import HotlineDaemon

/// Puts a canary wherever something secret may stand; it must not sing in any message.
@Suite struct ConfigurationSecrecyTests {
  private static let canary = "cAnArY"

  /// Everything a value may be spelt as, with the canary in it.
  private static let values = [
    "\"\(canary)\"", "'\(canary)'", "\"\"\"\(canary)\"\"\"", canary, "\"\(canary)", "'\(canary)",
    "[\"\(canary)\"]", "{ a = \"\(canary)\" }", "{ \(canary) }", "\"\\q\(canary)\"", "1\(canary)",
    "0x\(canary)", "true\(canary)", "\"x\" \(canary)", "[\(canary)", "= \(canary)",
    "\"x\u{1}\(canary)\"", "\"wss://\(canary)@h/\"", "\"\n\(canary)\"", "2020-01-0\(canary)",
    "\"none\"\(canary)",
  ]

  private static let places = [
    "unknown", "socket.unknown", "queue.x", "defaults.x", "upstream.a.unknown", "my_token",
    "upstream.a.api_key", "upstream.a.api_key_file", "upstream.a.headers", "upstream.a.headers.X",
    "upstream.a.headers.Authorization", "upstream.a.headers.\"b:\"", "upstream.a.headers.Host",
    "upstream.a.Password", "upstream.a.SECRET", "upstream.a.AuthorizatioN", "upstream.monkey.url",
    "upstream.monkey.envelope", "upstream.monkey.ca_file", "upstream.monkey.preset",
    "upstream.monkey.proxy", "upstream.a.client_key",
  ]

  @Test(arguments: places)
  func noSecretValueIsEverShown(_ place: String) {
    for value in Self.values {
      expectSilence("\(place) = \(value)\n")
      expectSilence("\(place) = 1\n\(place) = \(value)\n")
      expectSilence("\(place) = \(value)\n\(place) = \(value)\n")
    }
  }

  @Test(arguments: [
    "wss://\(canary)@h/", "wss://u:\(canary)@h/", "wss://u:p@\(canary)@h/", "x://\(canary)@h/",
    "\(canary)@h", "//\(canary)@h", "wss:\(canary)@h", "wss://u:\(canary)?x@h/",
    "wss://u:x#\(canary)@h/", "http://h/?q=\(canary)", "wss://h /?q=\(canary)#f",
    "http://h/x@y?q=\(canary)@z", "http://h?\(canary)@z",
  ])
  func noUserPartOrQueryOfAURLIsEverShown(_ url: String) {
    expectSilence("upstream.a.url = \"\(url)\"")
    expectSilence("upstream.a.url = \"\(url)\"\nupstream.a.url = \"\(url)\"")
    var world = World()
    world.options.url = url
    let problems = world.problems()
    #expect(!problems.isEmpty)
    #expect(!problems.joined().contains(Self.canary), "\(problems)")
  }

  @Test(arguments: [
    "http://\(canary)@h:x/", "http://u:\(canary)@h/?x", "http://u:\(canary)/@h", "x://\(canary)@h/",
    "http://u:\(canary)%zz@h", "http:\(canary)@h:y", "socks5://u: \(canary)@h",
  ])
  func noPartOfAProxysURLIsEverShown(_ url: String) {
    expectSilence("upstream.a.proxy = \"\(url)\"")
    expectSilence("upstream.a.proxy = \"\(url)\"\nupstream.a.proxy = \"\(url)\"")
    var world = World()
    world.environment["HTTPS_PROXY"] = url
    let problems = world.problems()
    #expect(problems.count == 1)
    #expect(problems[0].hasPrefix("$HTTPS_PROXY: the URL"), "\(problems)")
    #expect(!problems[0].contains(Self.canary), "\(problems)")
  }

  @Test func otherValuesAreCutAtSixtyFourCharacters() {
    let value = String(repeating: "y", count: 64)
    func problems(_ text: String) -> [String] {
      World("upstream.a.preset = \"\(text)\"").problems()
    }
    #expect(problems(value)[0].contains("\"\(value)\""))
    #expect(problems(value + "y")[0].contains("\"\(value)…\""))
    let name = String(repeating: "n", count: 64)
    #expect(World("\(name)n = 1").problems()[0].hasPrefix("\"\(name)…\": unknown key"))
  }

  private func expectSilence(_ toml: String) {
    let problems = World(toml).problems().joined(separator: "\n")
    #expect(!problems.contains(Self.canary), "\(toml) -> \(problems)")
  }
}
