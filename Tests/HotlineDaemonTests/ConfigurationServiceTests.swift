import HotlineCore
import HotlineSystem
import Testing

@testable import HotlineDaemon

/// What the daemon is as a service: whom it lets in, when it leaves, how it logs, what it needs.
@Suite struct ConfigurationServiceTests {
  @Test func othersAreLetInByTheirNumbers() throws {
    let toml = "[socket]\nallowed_uids = [1000, 0, 1000]\nallowed_gids = [4294967294]"
    let service = try World(toml).load().service
    #expect(service.allowedUIDs == [0, 1000])
    #expect(service.allowedGIDs == [4_294_967_294])
    #expect(service.admitsOthers)
    #expect(try !World().load().service.admitsOthers)
    #expect(try !World("[socket]\nallowed_uids = []").load().service.admitsOthers)
  }

  @Test(arguments: ["-1", "4294967295", "\"ann\"", "1.5", "[1]"])
  func whatIsNoNumberOfAUserIsRefused(_ value: String) {
    #expect(
      World("[socket]\nallowed_uids = [7, \(value)]").problems() == [
        "socket.allowed_uids: has something else than a number from 0 to 4294967294 in it; names "
          + "are not known here, \"id -u NAME\" and \"getent group NAME\" tell their numbers "
          + "(line 2)"
      ])
  }

  @Test func thereIsALimitToTheirNumber() throws {
    func list(_ count: Int) -> String {
      "[socket]\nallowed_gids = [\((0..<count).map(String.init).joined(separator: ", "))]"
    }
    #expect(try World(list(1024)).load().service.allowedGIDs.count == 1024)
    #expect(
      World(list(1025)).problems() == [
        "socket.allowed_gids: 1025 are too many; at most 1024 would do (line 2)"
      ])
  }

  @Test func idlenessIsATime() throws {
    #expect(try World().load().service.exitWhenIdle == .zero)
    let world = World("[socket]\nexit_when_idle = \"10m\"")
    #expect(try world.load().service.exitWhenIdle == .seconds(600))
    #expect(!World("[socket]\nexit_when_idle = \"8d\"").problems().isEmpty)
  }

  @Test func idlenessIsForThoseWhomSomebodyStartsAgain() throws {
    var world = World(
      "[socket]\nexit_when_idle = \"10m\"\n[upstream.smartaipi]\nurl = \"ws://localhost/\"")
    world.keys[.environment("HOTLINE_API_KEY")] = "sk"
    for isPassed in [true, false] {
      let loader = ConfigurationLoader(
        options: world.options, surroundings: world.surroundings, socketIsPassed: isPassed)
      let warnings = try loader.load().warnings
      #expect(warnings.map { $0.hasPrefix("socket.exit_when_idle: ") } == (isPassed ? [] : [true]))
    }
  }

  @Test func theFormatOfTheLogIsAFlag() throws {
    var world = World()
    #expect(try world.load().logFormat == .auto)
    world.options.logFormat = "json"
    #expect(try world.load().logFormat == .json)
    world.options.logFormat = "xml"
    #expect(
      world.problems() == [
        "--log-format: \"xml\" is no format; one of auto, text, json would do"
      ])
  }

  @Test func clientsGetTheDescriptorsThatConnectionsLeave() throws {
    var world = World("[socket]\nclients_max = 100\n[upstream.smartaipi]\nconnections_max = 2")
    world.keys[.environment("HOTLINE_API_KEY")] = "sk"
    var configuration = try world.load()
    let connections = 2 * (2 + 4)
    #expect(DescriptorBudget.connections(of: configuration) == connections)
    let enough = 100 + connections + DescriptorBudget.reserve
    #expect(DescriptorBudget(openMax: enough).apply(to: &configuration) == nil)
    #expect(configuration.limits.clientsMax == 100)
    let warning = DescriptorBudget(openMax: enough - 1).apply(to: &configuration)
    #expect(
      warning?.hasPrefix("socket.clients_max: 100 clients and up to 12 connections need 160 ")
        == true)
    #expect(warning?.contains("only 99 clients are served") == true)
    #expect(configuration.limits.clientsMax == 99)
    _ = DescriptorBudget(openMax: 3).apply(to: &configuration)
    #expect(configuration.limits.clientsMax == 1)
  }

  // MARK: Keys

  private static let directory = "/home/ann/.config/hotline/keys"

  private func target(_ name: String?, _ world: World) throws -> KeyStore.Target {
    try KeyStore.target(name, in: try world.load())
  }

  @Test func aKeyIsStoredWhereItIsLookedFor() throws {
    var world = World("[upstream.other]\napi_key_file = \"k\"\n[upstream.third]")
    #expect(try target(nil, world).path == Self.directory + "/smartaipi")
    #expect(try target(nil, world).upstream == "smartaipi")
    #expect(try target("third", world).path == Self.directory + "/third")
    #expect(try target("third", world).before == [])
    #expect(try target("other", world).path == "/home/ann/.config/hotline/k")
    // What comes before the file is told of.
    #expect(try target(nil, world).before.map(\.label) == ["$HOTLINE_API_KEY"])
    world.options.apiKeyFile = "/flag"
    #expect(try target(nil, world).path == "/flag")
  }

  @Test func noKeyIsStoredForWhoIsSentNone() throws {
    let world = World("[upstream.local]\nurl = \"ws://localhost/\"\napi_key = \"none\"")
    #expect(
      throws: KeyStore.Refusal(explanation: "upstream.local.api_key is \"none\": it is sent no key")
    ) { try target("local", world) }
    #expect(
      throws: KeyStore.Refusal(
        explanation: "there is no upstream \"x\\x0A\"; configured are: local, smartaipi")
    ) { try target("x\n", world) }
    var homeless = World()
    homeless.home = nil
    #expect(throws: KeyStore.Refusal.self) { try target(nil, homeless) }
  }
}
