import Dispatch
import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import HotlineWire
import Testing

@testable import HotlineDaemon

/// A world of files and variables in memory.
struct World {
  var environment = ["XDG_RUNTIME_DIR": "/run/user/1000"]
  var home: String? = "/home/ann"
  var files: [String: String] = [:]
  var keys: [SecretSource: String] = [:]
  var refusedKeys: [SecretSource: KeyProblem] = [:]
  var options = CommandLineOptions()
  /// Reading a file waits for it.
  var gate: DispatchSemaphore?

  static let file = "/home/ann/.config/hotline/config.toml"

  init(_ toml: String? = nil) {
    files[Self.file] = toml
  }

  var surroundings: Surroundings {
    let world = self
    return Surroundings(
      environment: environment, home: home,
      readFile: { path, bytesMax in
        guard let text = world.files[path] else { return .failure(.missing) }
        guard text.utf8.count <= bytesMax else { return .failure(.tooLarge(bytesMax: bytesMax)) }
        return .success(Array(text.utf8))
      },
      readSecret: { source in
        if let problem = world.refusedKeys[source] { return .failure(problem) }
        guard let key = world.keys[source] else { return .success(nil) }
        do throws(KeyProblem) {
          return .success(try Secret(Array(key.utf8)))
        } catch {
          return .failure(error)
        }
      })
  }

  func load(socketIsPassed: Bool = false) throws -> Configuration {
    try Configuration.load(options, in: surroundings, socketIsPassed: socketIsPassed)
  }

  /// All that is wrong, one text each.
  func problems(socketIsPassed: Bool = false) -> [String] {
    do throws(ConfigurationError) {
      _ = try Configuration.load(options, in: surroundings, socketIsPassed: socketIsPassed)
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  /// The key of each upstream, or all that is wrong with them.
  func keyring() throws -> [String: String] {
    let keys = try UpstreamKeys(for: try load(), in: surroundings)
    return keys.secrets.mapValues { secret in
      secret.withBytes { span in
        String(decoding: span.indices.map { span[$0] }, as: UTF8.self)
      }
    }
  }
}

@Suite struct ConfigurationTests {
  @Test func withoutAFileTheDefaultsOfTheBuiltInUpstreamHold() throws {
    let configuration = try World().load()
    #expect(configuration.socketPath == "/run/user/1000/hotline.sock")
    #expect(configuration.limits == Limits())
    #expect(configuration.defaults == Configuration.RequestDefaults())
    #expect(configuration.upstreams.map(\.name) == ["smartaipi"])
    #expect(configuration.defaultUpstream == 0)
    #expect(configuration.file == nil)
    let upstream = configuration.upstreams[0]
    #expect(upstream.url == "wss://api.smartaipi.com/v1/realtime")
    #expect(try UpstreamURL(upstream.url) == upstream.endpoint)
    #expect(upstream.headers == [.init(name: "OpenAI-Beta", value: "realtime=v1")])
    #expect(upstream.envelope == .nested)
    #expect(upstream.storeFalse)
    #expect(upstream.continuation == .connection)
    #expect(upstream.compression == .auto)
    #expect(upstream.caFile == nil)
    #expect(upstream.limits == UpstreamLimits())
  }

  @Test func everyKeyReachesItsField() throws {
    let configuration = try World(
      """
      default_upstream = "b"
      [socket]
      path = "s/hotline.sock"
      clients_max = 2
      line_bytes_max = "1MiB"
      nesting_max = 9
      requests_per_client_max = 3
      buffer_bytes_max = 65536
      memory_max = "128MiB"
      [queue]
      requests_max = 4
      wait_timeout = "5s"
      request_timeout = "1h30m"
      shutdown_timeout = "0s"
      interactive_weight = 5
      [defaults]
      model = "gpt-5.3-codex"
      instructions = "Be brief.\\nBe kind."
      [upstream.b]
      preset = "smart-aipi"
      url = "wss://[::1]:8443/v1?x=1"
      api_key_file = "~/keys/b"
      headers = { X-Team = "blue" }
      envelope = "flat"
      ca_file = "ca.pem"
      ca_file_extra = "more.pem"
      client_certificate = "me.pem"
      client_key = "~/me.key"
      pin_sha256 = ["Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA="]
      tls_min = "1.3"
      compression = "off"
      warm_up = '{"instructions":"Be brief."}'
      continuation = "anywhere"
      store_false = false
      connections_warm = 2
      connections_max = 3
      lanes = 16
      dials_max = 6
      connect_timeout = "500ms"
      ping_interval = "1s500ms"
      pong_timeout = "2s"
      probe_timeout = "1s"
      idle_limit = "10m"
      age_limit = "2h"
      age_margin = "7m"
      shrink_after = "8m"
      patience = "0ms"
      circuit_after = "9s"
      abandoned_timeout = "11s"
      steer_timeout = "12s"
      cancel = "drain"
      message_bytes_max = "2KiB"
      event_bytes_max = 1048576
      [upstream.a]
      api_key = "none"
      """
    ).load()
    var limits = Limits()
    limits.clientsMax = 2
    limits.lineBytesMax = 1 << 20
    limits.nestingMax = 9
    limits.requestsPerClientMax = 3
    limits.bufferBytesMax = 65536
    limits.memoryBytesMax = 128 << 20
    limits.queueRequestsMax = 4
    limits.waitTimeout = .seconds(5)
    limits.requestTimeout = .seconds(5400)
    limits.shutdownTimeout = .zero
    limits.interactiveWeight = 5
    #expect(configuration.limits == limits)
    #expect(configuration.socketPath == "/home/ann/.config/hotline/s/hotline.sock")
    #expect(configuration.defaults.model == "gpt-5.3-codex")
    #expect(configuration.defaults.instructions == "Be brief.\nBe kind.")
    #expect(configuration.upstreams.map(\.name) == ["a", "b"])
    #expect(configuration.defaultUpstream == 1)
    #expect(configuration.upstreams[0].keyPolicy == .none)
    let upstream = configuration.upstreams[1]
    #expect(upstream.endpoint.host == "::1")
    #expect(upstream.endpoint.port == 8443)
    #expect(upstream.endpoint.address.target == "/v1?x=1")
    #expect(upstream.endpoint.displayed == "wss://[::1]:8443/v1?…")
    #expect(upstream.headers == [.init(name: "X-Team", value: "blue")])
    #expect(upstream.envelope == .flat)
    #expect(upstream.caFile == "/home/ann/.config/hotline/ca.pem")
    #expect(upstream.caFileExtra == "/home/ann/.config/hotline/more.pem")
    #expect(upstream.clientIdentity?.certificateFile == "/home/ann/.config/hotline/me.pem")
    #expect(upstream.clientIdentity?.keyFile == "/home/ann/me.key")
    #expect(upstream.pins.map(\.base64) == ["Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA="])
    #expect(upstream.tlsMin == .tls13)
    #expect(upstream.continuation == .anywhere)
    #expect(upstream.compression == .off)
    #expect(upstream.warmUp == (try? WarmUpRequest(#"{"instructions":"Be brief."}"#.utf8)))
    #expect(!upstream.storeFalse)
    var upstreamLimits = UpstreamLimits()
    upstreamLimits.connectionsWarm = 2
    upstreamLimits.connectionsMax = 3
    upstreamLimits.lanes = 16
    upstreamLimits.connectTimeout = .milliseconds(500)
    upstreamLimits.pingInterval = .milliseconds(1500)
    upstreamLimits.pongTimeout = .seconds(2)
    upstreamLimits.probeTimeout = .seconds(1)
    upstreamLimits.idleLimit = .seconds(600)
    upstreamLimits.ageLimit = .seconds(7200)
    upstreamLimits.dialsMax = 6
    upstreamLimits.ageMargin = .seconds(420)
    upstreamLimits.shrinkAfter = .seconds(480)
    upstreamLimits.patience = .zero
    upstreamLimits.circuitAfter = .seconds(9)
    upstreamLimits.abandonedTimeout = .seconds(11)
    upstreamLimits.steerTimeout = .seconds(12)
    upstreamLimits.cancel = .drain
    upstreamLimits.messageBytesMax = 2048
    upstreamLimits.eventBytesMax = 1 << 20
    #expect(upstream.limits == upstreamLimits)
    #expect(configuration.origins["upstream.b.url"] == .file)
    #expect(configuration.origins["queue.wait_timeout"] == .file)
    #expect(configuration.origins["upstream.a.url"] == nil)
  }

  @Test func theSocketPathComesFromTheFirstThatIsSet() throws {
    var world = World("socket.path = \"/file\"")
    world.options.socket = "/flag"
    world.environment["HOTLINE_SOCKET"] = "/variable"
    #expect(try world.load().socketPath == "/flag")
    #expect(try world.load().origins["socket.path"] == .flag)
    world.options.socket = nil
    #expect(try world.load().socketPath == "/variable")
    #expect(try world.load().origins["socket.path"] == .environment)
    world.environment["HOTLINE_SOCKET"] = ""
    #expect(try world.load().socketPath == "/file")
    world.files = [:]
    #expect(try world.load().socketPath == "/run/user/1000/hotline.sock")
    world.environment["XDG_RUNTIME_DIR"] = "relative"
    #expect(
      world.problems() == [
        "socket.path: there is no path for the socket; give one by --socket PATH, "
          + "$HOTLINE_SOCKET, path in [socket] of the configuration, or $XDG_RUNTIME_DIR"
      ])
    #expect(try world.load(socketIsPassed: true).socketPath == nil)
  }

  @Test func aSocketPathMayHaveAsManyBytesAsTheKernelTakes() throws {
    var world = World()
    world.options.socket = "/" + String(repeating: "x", count: 106)
    #expect(world.problems() == [])
    world.options.socket? += "x"
    let excerpt = "/" + String(repeating: "x", count: 63)
    #expect(
      world.problems() == [
        "--socket: \"\(excerpt)…\" has 108 bytes; a Unix socket's path may have 107"
      ])
    world.options.socket = ""
    #expect(
      world.problems() == [
        "--socket: is empty; a path such as /run/user/1000/hotline.sock would do"
      ])
  }

  @Test func theConfigurationFileIsLookedForWhereTheStandardSays() throws {
    var world = World()
    world.files["/xdg/hotline/config.toml"] = "[socket]\nclients_max = 7"
    #expect(try world.load().limits.clientsMax == 1024)
    world.environment["XDG_CONFIG_HOME"] = "/xdg"
    #expect(try world.load().limits.clientsMax == 7)
    #expect(try world.load().file == "/xdg/hotline/config.toml")
    world.files["/other"] = "[socket]\nclients_max = 8"
    world.options.config = "/other"
    #expect(try world.load().limits.clientsMax == 8)
    world.options.config = "/nowhere"
    #expect(
      world.problems() == ["--config: there is no file /nowhere; name one that exists"])
  }

  @Test func flagsBelongToTheDefaultUpstreamAlone() throws {
    var world = World(
      """
      default_upstream = "b"
      [upstream.a]
      [upstream.b]
      url = "wss://b.example/"
      """)
    world.options.url = "ws://127.0.0.1:9/x"
    world.options.caFile = "ca.pem"
    world.options.apiKeyFile = "key"
    world.options.logLevel = "debug"
    let configuration = try world.load()
    #expect(
      configuration.upstreams.map(\.url) == [Preset.smartAIPI.endpoint.text, "ws://127.0.0.1:9/x"])
    #expect(configuration.upstreams.map(\.caFile) == [nil, "ca.pem"])
    #expect(configuration.origins["upstream.b.url"] == .flag)
    #expect("\(configuration.logLevel)" == "debug")
    #expect(
      configuration.upstreams.map(\.keyPolicy) == [
        .lookup([
          .init(
            source: .file("/home/ann/.config/hotline/keys/a"),
            label: "/home/ann/.config/hotline/keys/a", isNamed: false)
        ]),
        .lookup([
          .init(source: .file("key"), label: "--api-key-file", isNamed: true),
          .init(source: .environment("HOTLINE_API_KEY"), label: "$HOTLINE_API_KEY", isNamed: false),
          .init(
            source: .file("/home/ann/.config/hotline/keys/b"),
            label: "/home/ann/.config/hotline/keys/b", isNamed: false),
        ]),
      ])
  }

  @Test func theBuiltInUpstreamExistsOnlyAsTheDefault() throws {
    #expect(try World("[upstream.a]").load().upstreams.map(\.name) == ["a", "smartaipi"])
    #expect(try World("[upstream.a]").load().defaultUpstream == 1)
    let toml = "default_upstream = \"a\"\n[upstream.a]"
    #expect(try World(toml).load().upstreams.map(\.name) == ["a"])
  }

  @Test func flagsThatCannotBeTakenAreNamed() {
    var world = World()
    world.options.url = "http://u:p@h/"
    world.options.logLevel = "loud"
    world.options.apiKeyFile = ""
    world.options.caFile = ""
    #expect(
      world.problems() == [
        "--url: \"http://…@h/\" does not begin with wss:// (or ws://, to this machine only); "
          + "wss://HOST/PATH would do",
        "--ca-file: is empty; name a PEM file",
        "--api-key-file: is empty; name a file that holds the key alone",
        "--log-level: \"loud\" is no level; one of trace, debug, info, notice, warning, error, "
          + "critical would do",
      ])
  }
}
