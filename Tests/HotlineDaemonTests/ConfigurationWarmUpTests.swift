import HotlineCore
import HotlineSystem
import HotlineWire
import Testing

@testable import HotlineDaemon

/// What new connections are sent before anybody asks for anything.
@Suite struct ConfigurationWarmUpTests {
  private static let canary = "canary-of-a-prompt"

  private func problems(_ lines: String, _ sections: String = "") -> [String] {
    World("\(sections)\n[upstream.u]\n\(lines)").problems()
  }

  @Test func itIsReadWithAModelOfItsOwnOrTheDefault() throws {
    let own = try World("[upstream.u]\nwarm_up = '{\"model\":\"m\"}'").load().upstreams
    #expect(own.first { $0.name == "u" }?.warmUp?.model == "m")
    #expect(problems("warm_up = '{}'", "[defaults]\nmodel = \"m\"") == [])
    #expect(problems("warm_up = '''\n{\"model\":\"m\",\n\"tools\":[]}'''") == [])
    #expect(try World("[upstream.u]").load().upstreams.allSatisfy { $0.warmUp == nil })
  }

  @Test(arguments: [
    ("'{no}'", "is not valid JSON"),
    ("'[]'", "is no JSON object"),
    ("'{\"model\":\"m\",\"stream\":true}'", "has a member stream, which is not for it"),
    ("'{\"model\":\"m\",\"store\":true}'", "store is true; this upstream stores nothing"),
    ("'{\"instructions\":\"canary-of-a-prompt\"}'", "has no model, and there is no default"),
    ("''", "has 0 bytes; 2 to 262144 would do"),
    ("5", "is the integer 5, but has to be a string such as \"{…}\""),
  ])
  func whatCannotBeSentSaysWhy(value: String, problem: String) {
    let problems = problems("warm_up = \(value)")
    #expect(problems.count == 1, "\(problems)")
    #expect(problems.first?.contains(problem) == true, "\(problems)")
    #expect(problems.first?.contains(Self.canary) == false)
    #expect(problems.first?.contains("(line 3)") == true)
  }

  @Test func oneThatIsTooLongForTheServerIsRefused() {
    let text = String(repeating: "x", count: 2000)
    let problems = problems(
      "message_bytes_max = \"1KiB\"\nwarm_up = '{\"model\":\"m\",\"instructions\":\"\(text)\"}'")
    #expect(problems.count == 1 && problems[0].contains("message_bytes_max"), "\(problems)")
  }

  @Test func aRealtimeServerTakesNone() {
    #expect(
      problems("preset = \"openai-realtime\"\nwarm_up = '{}'") == [
        "upstream.u.warm_up: is nothing that a server of the preset openai-realtime knows; leave "
          + "it out (line 4)"
      ])
  }

  @Test func storeMayBeTrueWhereTheServerStores() {
    #expect(problems("preset = \"openai\"\nwarm_up = '{\"model\":\"m\",\"store\":true}'") == [])
  }

  @Test func theConfigurationInForceShowsItsLengthAlone() throws {
    let text = "{\"model\":\"m\",\"instructions\":\"\(Self.canary)\"}"
    let configuration = try World("[upstream.u]\nwarm_up = '\(text)'").load()
    let shown = EffectiveSettings(configuration).settings
    let setting = shown.first { $0.key == "upstream.u.warm_up" }
    #expect(setting?.value == .text("*** (\(text.utf8.count) bytes)"))
    #expect(setting?.origin == .file)
    #expect(!"\(shown)".contains(Self.canary))
    #expect(
      shown.first { $0.key == "upstream.smartaipi.warm_up" }?.value == EffectiveSettings.Value.none)
  }

  @Test func thePresetsSayWhoIsKnownToTakeOne() throws {
    let known = Preset.all.filter { $0.warmUp == .known }.map(\.name)
    #expect(known == ["openai", "azure-openai"])
    #expect(Preset.all.filter { $0.warmUp == .none }.map(\.name) == ["openai-realtime"])
    let world = World("")
    let list = UpstreamList(try world.load(), in: world.surroundings)
    #expect(list.text.contains("takes warm_up: it documents generate:false"))
    #expect(String(decoding: list.json, as: UTF8.self).contains(#""warm_up":"unknown""#))
  }
}
