import HotlineCore
import TestSupport
import Testing

@testable import HotlineDaemon

@Suite struct EffectiveSettingsTests {
  private func settings(_ toml: String, socket: String? = nil) throws -> EffectiveSettings {
    var world = World(toml)
    world.options.socket = socket
    return EffectiveSettings(try world.load())
  }

  private func setting(
    _ key: String, _ settings: EffectiveSettings
  ) -> (EffectiveSettings.Value, Configuration.Origin)? {
    settings.settings.first { $0.key == key }.map { ($0.value, $0.origin) }
  }

  /// Whatever can be configured is shown, and under the key that it is configured by.
  @Test func everyKeyIsShownOnce() throws {
    let keys = try settings(Self.secrets).settings.map(\.key)
    #expect(Set(keys).count == keys.count)
    let expected =
      Schema.rootKeys.filter { !Schema.tables.contains($0) }
      + Schema.socketKeys.map { "socket.\($0)" } + Schema.queueKeys.map { "queue.\($0)" }
      + Schema.defaultsKeys.map { "defaults.\($0)" }
      // A preset is what the others begin with.
      + Schema.upstreamKeys.filter { $0 != "preset" }.map { "upstream.a.\($0)" }
    for key in expected { #expect(keys.contains(key), "\(key)") }
  }

  @Test func eachValueSaysWhereItCameFrom() throws {
    let settings = try settings(
      """
      default_upstream = "a"
      [queue]
      wait_timeout = "90s"
      [upstream.a]
      connections_max = 3
      """, socket: "/tmp/s")
    #expect(try #require(setting("queue.wait_timeout", settings)) == (.text("1m30s"), .file))
    #expect(try #require(setting("queue.requests_max", settings)) == (.number(1024), .default))
    #expect(try #require(setting("socket.path", settings)) == (.text("/tmp/s"), .flag))
    #expect(try #require(setting("upstream.a.connections_max", settings)) == (.number(3), .file))
    #expect(try #require(setting("upstream.a.ca_file", settings)) == (.none, .default))
    #expect(try #require(setting("default_upstream", settings)) == (.text("a"), .file))
  }

  private static let secrets = """
    default_upstream = "a"
    [upstream.a]
    url = "wss://host.example/v1?token=SECRET1"
    headers = { X-Key = "SECRET2" }
    api_key_file = "/keys/a"
    proxy = "http://SECRET4:SECRET3@proxy.example:3128"
    """

  @Test func nothingThatMayBeASecretIsShown() throws {
    let configuration = try World(Self.secrets).load()
    var bytes: [UInt8] = []
    ConfigLine(configuration: configuration, echo: Array("7".utf8)).append(to: &bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(!text.contains("SECRET"))
    let json = try JSON(parsing: bytes)
    #expect(json.request_id.integer == 7)
    let settings = Dictionary(
      uniqueKeysWithValues: json.settings.array.map { ($0.key.string ?? "", $0.value) })
    #expect(settings["upstream.a.url"] == .string("wss://host.example/v1?…"))
    #expect(settings["upstream.a.headers"] == .object(["X-Key": .string("***")]))
    #expect(settings["upstream.a.proxy"] == .string("http://proxy.example:3128"))
    #expect(settings["upstream.a.api_key_file"] == .string("/keys/a"))
    #expect(settings["upstream.a.pin_sha256"] == .array([]))
    #expect(json.file.string == World.file)
  }
}
