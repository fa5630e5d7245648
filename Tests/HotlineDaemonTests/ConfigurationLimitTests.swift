import HotlineCore
import Testing

@testable import HotlineDaemon

@Suite struct ConfigurationLimitTests {
  @Test func everyLimitOfADaemonHoldsAtItsEdges() throws {
    try check(Schema.socket, "socket", of: \.limits)
    try check(Schema.queue, "queue", of: \.limits)
    #expect(Schema.socket.count + Schema.queue.count == 11)
  }

  @Test func everyLimitOfAnUpstreamHoldsAtItsEdges() throws {
    try check(Schema.upstream, "upstream.smartaipi", of: \.upstreams[0].limits)
    #expect(Schema.upstream.count == 18)
  }

  @Test func everyDefaultIsInItsRange() {
    checkDefaults(Schema.socket + Schema.queue, Limits())
    checkDefaults(Schema.upstream, UpstreamLimits())
  }

  /// Other limits that a value at the edge would collide with, out of its way.
  private static let roomy: [String: String] = [
    "line_bytes_max": "[socket]\nmemory_max = \"1024GiB\"",
    "buffer_bytes_max": "[socket]\nmemory_max = \"1024GiB\"",
    "event_bytes_max": "[socket]\nmemory_max = \"1024GiB\"",
    "memory_max": "[socket]\nline_bytes_max = \"1KiB\"\nbuffer_bytes_max = \"1KiB\"\n"
      + "[upstream.smartaipi]\nevent_bytes_max = \"1KiB\"",
    "wait_timeout": "[queue]\nrequest_timeout = \"168h\"",
    "request_timeout": "[queue]\nwait_timeout = \"100ms\"",
    "connections_warm": "[upstream.smartaipi]\nconnections_max = 1024",
    "connections_max": "[upstream.smartaipi]\nconnections_warm = 0",
  ]

  private func document(_ section: String, _ key: String, _ value: String) -> String {
    let rest = Self.roomy[key] ?? ""
    let header = "[\(section)]\n"
    let line = "\(key) = \(value)\n"
    guard let range = rest.firstRange(of: header) else { return header + line + rest }
    return rest[..<range.upperBound] + line + rest[range.upperBound...]
  }

  private func check<Root>(
    _ settings: [LimitSetting<Root>], _ section: String, of root: KeyPath<Configuration, Root>
  ) throws {
    for setting in settings {
      let path = "\(section).\(setting.key)"
      func takes<T: Equatable>(_ text: String, _ field: KeyPath<Root, T>, _ value: T) throws {
        let toml = document(section, setting.key, text)
        let configuration = try World(toml).load()
        #expect(configuration[keyPath: root][keyPath: field] == value, "\(path) = \(text)")
      }
      func refuses(_ text: String, _ range: String) {
        let problems = World(document(section, setting.key, text)).problems()
        #expect(
          problems == ["\(path): \(text) is out of range; \(range) would do (line 2)"])
      }
      switch setting.field {
      case .count(let field, let range):
        let (low, high) = (range.lowerBound, range.upperBound)
        try takes("\(low)", field, low)
        try takes("\(high)", field, high)
        let text = low == high ? "only \(low)" : "\(low) to \(high)"
        refuses("\(low - 1)", text)
        refuses("\(high + 1)", text)
      case .bytes(let field, let range):
        let (low, high) = (range.lowerBound, range.upperBound)
        let text = "\(Quantity.text(bytes: low)) to \(Quantity.text(bytes: high))"
        try takes("\(low)", field, low)
        try takes("\"\(Quantity.text(bytes: high))\"", field, high)
        refuses("\(low - 1)", text)
        refuses("\"\(high + 1)B\"", text)
        refuses("-1", text)
      case .duration(let field, let range):
        let (low, high) = (range.lowerBound, range.upperBound)
        let text = "\(Quantity.text(low)) to \(Quantity.text(high))"
        try takes("\"\(Quantity.text(low))\"", field, low)
        try takes("\"\(Quantity.text(high))\"", field, high)
        if low > .zero { refuses("\"\(Quantity.text(low - .milliseconds(1)))\"", text) }
        refuses("\"\(Quantity.text(high + .milliseconds(1)))\"", text)
      }
    }
  }

  private func checkDefaults<Root>(_ settings: [LimitSetting<Root>], _ root: Root) {
    for setting in settings {
      switch setting.field {
      case .count(let field, let range), .bytes(let field, let range):
        #expect(range.contains(root[keyPath: field]), "\(setting.key)")
      case .duration(let field, let range):
        #expect(range.contains(root[keyPath: field]), "\(setting.key)")
      }
    }
  }

  @Test(arguments: [
    ("0s", 0), ("25s", 25_000), ("500ms", 500), ("1h30m", 5_400_000), ("14m", 840_000),
    ("1h1m1s1ms", 3_661_001), ("000001s", 1000),
  ])
  func durationsAreRead(_ text: String, _ milliseconds: Int) {
    #expect(Quantity.duration(text) == .milliseconds(milliseconds))
  }

  @Test(arguments: [
    "", "s", "1", "1 s", "-1s", "+1s", "1.5s", "1S", "1s1s", "1s1m", "1ms1s", "1d", "s1", "1s ",
    "99999999999999999999s", "1000000001s", "1µs",
  ])
  func otherTextsAreNoDurations(_ text: String) {
    #expect(Quantity.duration(text) == nil)
  }

  @Test func sizesAreRead() {
    #expect(Quantity.bytes("1B") == 1)
    #expect(Quantity.bytes("64MiB") == 64 << 20)
    #expect(Quantity.bytes("1024GiB") == 1 << 40)
    for text in ["", "1", "MiB", "1MB", "1 MiB", "-1B", "1.5MiB", "1MiBB", "9999999999999999GiB"] {
      #expect(Quantity.bytes(text) == nil, "\(text)")
    }
  }

  @Test func quantitiesAreWrittenAsTheyAreRead() {
    for milliseconds in [0, 1, 999, 1000, 61_001, 3_600_000, 5_400_000] {
      let duration = Duration.milliseconds(milliseconds)
      #expect(Quantity.duration(Quantity.text(duration)) == duration)
    }
    for bytes in [1, 1023, 1024, 1 << 20, (1 << 20) + 1024, 1 << 40] {
      #expect(Quantity.bytes(Quantity.text(bytes: bytes)) == bytes)
    }
  }

  @Test func theNumberOfUpstreamsAndHeadersIsLimited() {
    func upstreams(_ count: Int) -> String {
      (0..<count).map { "[upstream.u\($0)]\n" }.joined()
    }
    #expect(World(upstreams(64)).problems() == [])
    #expect(
      World(upstreams(65)).problems() == [
        "upstream: 65 upstreams are too many; at most 64 would do"
      ])
    func headers(_ count: Int) -> String {
      "[upstream.a.headers]\n" + (0..<count).map { "h\($0) = \"x\"\n" }.joined()
    }
    #expect(World(headers(64)).problems() == [])
    #expect(
      World(headers(65)).problems() == [
        "upstream.a.headers: 65 headers are too many; at most 64 would do (line 1)"
      ])
  }

  @Test func dottedKeysAreLimited() {
    func problems(_ parts: Int) -> [String] {
      World(String(repeating: "a.", count: parts - 1) + "a = 1").problems()
    }
    #expect(problems(64)[0].hasPrefix("a: unknown key"))
    let message = "a key of more than 64 parts; no key has so many (line 1)"
    #expect(problems(65) == [message])
    #expect(problems(100_000) == [message])
  }

  @Test func textsAreLimited() {
    func defaults(_ key: String, _ count: Int) -> [String] {
      World("[defaults]\n\(key) = \"\(String(repeating: "x", count: count))\"").problems()
    }
    #expect(defaults("model", 256) == [])
    #expect(
      defaults("model", 257) == ["defaults.model: has 257 characters; 1 to 256 would do (line 2)"])
    #expect(defaults("instructions", 262_144) == [])
    #expect(defaults("instructions", 262_145).count == 1)
    func header(_ count: Int) -> [String] {
      World("[upstream.a]\nheaders.X = \"\(String(repeating: "x", count: count))\"").problems()
    }
    #expect(header(8192) == [])
    #expect(
      header(8193) == ["upstream.a.headers.X: has more than 8192 bytes, the most taken (line 2)"])
    let name = String(repeating: "n", count: 64)
    #expect(World("[upstream.\(name)]").problems() == [])
    #expect(World("[upstream.\(name)n]").problems().count == 1)
  }
}
