import HotlineCore
import HotlineSystem
import Testing

@testable import HotlineDaemon

@Suite struct PresetTests {
  private func upstream(_ toml: String) throws -> UpstreamConfiguration {
    let configuration = try World("default_upstream = \"u\"\n[upstream.u]\n" + toml).load()
    return configuration.upstreams[configuration.defaultUpstream]
  }

  @Test(arguments: Preset.all.filter { !$0.needsURL }.map(\.name))
  func aPresetIsEnough(name: String) throws {
    let upstream = try upstream("preset = \"\(name)\"")
    let preset = try #require(Preset.named(name))
    #expect(upstream.preset == name)
    #expect(upstream.url == preset.url)
    #expect(upstream.envelope == preset.envelope)
    #expect(upstream.storeFalse == preset.storeFalse)
    #expect(upstream.continuation == preset.continuation)
    #expect(upstream.limits == preset.limits)
    #expect(upstream.keyHeader == preset.keyHeader)
    // A plain connection never leaves the machine.
    #expect(upstream.endpoint.isSecure == (name != "local"))
  }

  @Test func whatOnlyTheUserKnowsHasToBeGiven() throws {
    let toml = "[upstream.u]\npreset = \"azure-openai\""
    #expect(
      World(toml).problems() == [
        "upstream.u.url: is missing; with the preset azure-openai it is "
          + "\"wss://RESOURCE.openai.azure.com/openai/v1/responses\" (line 1)"
      ])
    let url = "wss://mine.openai.azure.com/openai/v1/responses"
    let azure = try upstream("preset = \"azure-openai\"\nurl = \"\(url)\"")
    #expect(azure.url == url)
    #expect(azure.keyHeader == .named("api-key"))
    let byToken = try upstream(
      "preset = \"azure-openai\"\nurl = \"\(url)\"\nkey_header = \"authorization\"")
    #expect(byToken.keyHeader == .bearer)
  }

  @Test func everyKeyOverridesThePreset() throws {
    let upstream = try upstream(
      """
      preset = "openai"
      url = "wss://example.test/v1"
      envelope = "nested"
      store_false = true
      continuation = "connection"
      lanes = 2
      key_header = "X-Key"
      key_variable = "MY_KEY"
      subprotocol = "openai-beta.responses.v1"
      headers = { "A" = "b" }
      """)
    #expect(upstream.url == "wss://example.test/v1")
    #expect(upstream.envelope == .nested && upstream.storeFalse)
    #expect(upstream.continuation == .connection)
    #expect(upstream.limits.lanes == 2)
    #expect(upstream.keyHeader == .named("X-Key"))
    #expect(upstream.keyVariable == "MY_KEY")
    #expect(upstream.subprotocol == "openai-beta.responses.v1")
    #expect(upstream.headers == [.init(name: "A", value: "b")])
  }

  @Test(arguments: [
    ("key_header = \"no header\"", "key_header: is no header name"),
    ("key_header = \"Host\"", "key_header: is set by the WebSocket handshake itself"),
    ("key_variable = \"1ST\"", "key_variable: is no name of a variable"),
    ("failover = [\"nobody\"]", "failover: \"nobody\" is no other upstream; \"smartaipi\" would"),
    ("failover = [\"u\"]", "failover: \"u\" is no other upstream"),
    ("failover = [\"smartaipi\", \"smartaipi\"]", "failover: \"smartaipi\" is named twice"),
    ("subprotocol = \"a, b\"", "subprotocol: \"a, b\" is no sub-protocol"),
    ("preset = \"nobody\"", "preset: \"nobody\" is not known; known are: \"smart-aipi\", "),
    (
      "key_header = \"api-key\"\nheaders = { \"API-Key\" = \"k\" }",
      "headers.api-key: the key is sent in this header"
    ),
  ])
  func whatCannotBeSaysWhy(toml: String, problem: String) {
    let problems = World("[upstream.u]\n" + toml).problems()
    #expect(problems.count == 1 && problems.first?.contains(problem) == true, "\(problems)")
  }

  @Test func theKeyMayBeInTheProvidersOwnVariable() throws {
    var world = World("[upstream.u]\npreset = \"openai\"\n[upstream.v]\npreset = \"xai\"")
    world.keys = [
      .environment("HOTLINE_API_KEY"): "own", .environment("OPENAI_API_KEY"): "of-openai",
      .environment("XAI_API_KEY"): "of-xai",
    ]
    #expect(
      try world.keyring() == ["smartaipi": "own", "u": "of-openai", "v": "of-xai"])
    // The default upstream's own variable comes first.
    world.files[World.file] = "default_upstream = \"u\"\n[upstream.u]\npreset = \"openai\""
    #expect(try world.keyring() == ["u": "own"])
  }

  @Test func aServerOnThisMachineWantsNoKeyUnlessOneIsNamed() throws {
    #expect(try upstream("preset = \"local\"").keyPolicy == .none)
    guard
      case .lookup(let places) = try upstream("preset = \"local\"\napi_key_file = \"k\"").keyPolicy
    else {
      Issue.record("no place is looked at")
      return
    }
    #expect(places.first?.source == .file("/home/ann/.config/hotline/k"))
  }
}

@Suite struct ModelRouteTests {
  private static let upstreams = """
    [upstream.a]
    preset = "local"
    [upstream.b]
    preset = "local"

    """

  @Test func theWordThatSaysMostDecides() {
    let routes = ModelRoutes(["*": "rest", "gpt-*": "some", "gpt-5*": "more", "gpt-5.2": "one"])
    #expect(routes.all.map(\.pattern) == ["gpt-5.2", "gpt-5*", "gpt-*", "*"])
    let chosen = ["gpt-5.2", "gpt-5.2-x", "gpt-4", "o1", "gpt-"].map {
      routes.upstream(for: ByteString($0.utf8))
    }
    #expect(chosen == ["one", "more", "some", "rest", "some"])
    #expect(ModelRoutes(["gpt-5.2": "one"]).upstream(for: "gpt-5") == nil)
  }

  @Test func theyAreReadFromTheFile() throws {
    let toml = "[route]\n\"gpt-*\" = \"a\"\no1 = \"b\"\n" + Self.upstreams
    let routes = try World(toml).load().routes
    #expect(routes == ModelRoutes(["gpt-*": "a", "o1": "b"]))
  }

  @Test(arguments: [
    ("\"*-mini\" = \"a\"", "has a * that is not at its end"),
    ("\"gpt-*\" = \"nobody\"", "there is no upstream \"nobody\"; \"a\" or \"b\" or \"smartaipi\""),
    ("\"gpt-*\" = 5", "has to be a string"),
    ("\"\" = \"a\"", "is no model"),
  ])
  func whatCannotBeSaysWhy(route: String, problem: String) {
    let problems = World("[route]\n\(route)\n" + Self.upstreams).problems()
    #expect(problems.count == 1 && problems.first?.contains(problem) == true, "\(problems)")
  }

  @Test func moreRoutesThanThereMayBeAreRefused() {
    func toml(_ count: Int) -> String {
      "[route]\n" + (0..<count).map { "m\($0) = \"a\"\n" }.joined() + Self.upstreams
    }
    #expect(World(toml(Schema.namedTablesMax)).problems() == [])
    #expect(World(toml(Schema.namedTablesMax + 1)).problems().count == 1)
  }
}

@Suite struct UpstreamListTests {
  @Test func itSaysOfEachWhatItIsAndWhereItsKeyIs() throws {
    var world = World(
      """
      default_upstream = "own"
      [route]
      "gpt-*" = "own"
      [upstream.own]
      preset = "openai"
      [upstream.here]
      preset = "local"
      [upstream.other]
      preset = "xai"
      [upstream.seed]
      preset = "smart-aipi"
      """)
    world.keys[.environment("OPENAI_API_KEY")] = "sk-secret"
    let list = UpstreamList(try world.load(), in: world.surroundings)
    #expect(list.keys == [.notWanted, .missing, .found(label: "$OPENAI_API_KEY"), .missing])
    let text = list.text
    #expect(
      text.contains(
        """
        own (default)
          preset        openai
          url           wss://api.openai.com/v1/responses
          envelope      flat
          lanes         8
          continuation  anywhere
          key           in $OPENAI_API_KEY, sent as Authorization
          models        gpt-*

        """))
    #expect(text.contains("\"hotline key set --upstream other\" stores one"))
    for preset in Preset.all { #expect(text.contains("  \(preset.name) ")) }
    let json = String(decoding: list.json, as: UTF8.self)
    #expect(json.contains(#""name":"own","default":true,"preset":"openai""#))
    #expect(json.contains(#""key":"found","key_place":"$OPENAI_API_KEY","models":["gpt-*"]"#))
    #expect(text.contains("prices        of codex-mini, gpt-5.2, gpt-5.3-codex, as of 20"))
    #expect(json.contains(#""prices_date":"\#(Preset.pricesDate)""#))
    #expect(json.contains(#""models":["gpt-*"],"prices_date":null"#))
    #expect(!(text + json).contains("sk-secret"))
  }
}
