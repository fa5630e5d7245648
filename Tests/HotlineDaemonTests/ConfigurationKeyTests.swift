import HotlineSystem
import Testing

@testable import HotlineDaemon

@Suite struct ConfigurationKeyTests {
  private static let keysFile = "/home/ann/.config/hotline/keys/smartaipi"

  @Test func theKeyComesFromTheFirstPlaceThatHasOne() throws {
    var world = World("[upstream.smartaipi]\napi_key_file = \"k\"")
    world.environment["CREDENTIALS_DIRECTORY"] = "/creds"
    world.options.apiKeyFile = "/flag"
    world.keys = [
      .file("/flag"): "from-flag",
      .file("/home/ann/.config/hotline/k"): "from-file",
      .credential("/creds/hotline-api-key"): "from-credential",
      .environment("HOTLINE_API_KEY"): "from-variable",
      .file(Self.keysFile): "from-directory",
    ]
    #expect(try world.keyring() == ["smartaipi": "from-flag"])
    world.options.apiKeyFile = nil
    #expect(try world.keyring() == ["smartaipi": "from-file"])
    world.files = [:]
    #expect(try world.keyring() == ["smartaipi": "from-credential"])
    world.keys[.credential("/creds/hotline-api-key")] = nil
    #expect(try world.keyring() == ["smartaipi": "from-variable"])
    world.keys[.environment("HOTLINE_API_KEY")] = nil
    #expect(try world.keyring() == ["smartaipi": "from-directory"])
  }

  @Test func otherUpstreamsGetNoKeyOfTheDefault() throws {
    var world = World("[upstream.other]")
    world.environment["CREDENTIALS_DIRECTORY"] = "/creds"
    world.options.apiKeyFile = "/flag"
    world.keys = [
      .file("/flag"): "from-flag", .credential("/creds/hotline-api-key"): "from-credential",
      .environment("HOTLINE_API_KEY"): "from-variable",
    ]
    #expect(
      keyProblems(world) == [
        "upstream.other: there is no API key; \"hotline key set --upstream other\" stores one. "
          + "Looked for in this order: api_key_file in "
          + "[upstream.other], the file /home/ann/.config/hotline/keys/other. A key file has to "
          + "have mode 0600. api_key = \"none\" is for a server without keys"
      ])
    world.keys[.file("/home/ann/.config/hotline/keys/other")] = "own"
    #expect(try world.keyring() == ["smartaipi": "from-flag", "other": "own"])
  }

  @Test func aMissingKeyIsOneMessageWithAllTheWays() {
    let message =
      "upstream.smartaipi: there is no API key; \"hotline key set\" stores one. "
      + "Looked for in this order: --api-key-file FILE, "
      + "api_key_file in [upstream.smartaipi], the systemd credential hotline-api-key, "
      + "$HOTLINE_API_KEY, the file \(Self.keysFile). A key file has to have mode 0600. "
      + "api_key = \"none\" is for a server without keys"
    #expect(keyProblems(World()) == [message])
    let toml = "[upstream.local]\nurl = \"ws://localhost/\"\napi_key = \"none\""
    #expect(
      keyProblems(World(toml)) == [
        message + "; default_upstream would name another upstream (local) the default"
      ])
  }

  @Test func aNamedFileThatIsMissingOrRefusedEndsTheSearch() {
    var world = World("[upstream.smartaipi]\napi_key_file = \"/sk-pasted-by-mistake\"")
    world.keys[.environment("HOTLINE_API_KEY")] = "from-variable"
    #expect(
      keyProblems(world) == [
        "upstream.smartaipi.api_key_file: there is no such file; write the key to one, mode 0600, "
          + "and name that"
      ])
    world.refusedKeys[.file("/sk-pasted-by-mistake")] = .readableByOthers(path: "/k k")
    #expect(
      keyProblems(world) == [
        "upstream.smartaipi.api_key_file: group or others can read the key; run: chmod 600 '/k k'"
      ])
  }

  @Test func anUpstreamWithoutKeysNeedsNone() throws {
    let toml = "[upstream.smartaipi]\napi_key = \"none\"\nheaders.authorization = \"Basic eA==\""
    var world = World(toml)
    #expect(try world.keyring() == [:])
    world.options.apiKeyFile = "/k"
    #expect(
      world.problems() == [
        "--api-key-file: upstream.smartaipi sets the header Authorization itself; leave out the "
          + "one or the other"
      ])
  }

  private func keyProblems(_ world: World) -> [String] {
    do {
      _ = try world.keyring()
      return []
    } catch let error as ConfigurationError {
      return error.problems.map(\.description)
    } catch {
      return ["\(error)"]
    }
  }
}
