import Foundation
import TestSupport
import Testing

/// A preset, and the flags with which the simulator is a server of its kind: one that takes nothing
/// else.
struct Provider: Sendable, CustomTestStringConvertible {
  let preset: String
  let flags: [String]
  /// The variable that the provider's own tools read the key from.
  var variable: String?
  /// More lines for its table.
  var lines = ""
  /// What a request that says nothing of `store` is stored as.
  var stores: Bool? = true
  var testDescription: String { "\(preset) \(lines)" }
  var isRealtime: Bool { preset == "openai-realtime" }
  var hasLanes: Bool { flags.contains("--lanes") }
  /// Its responses are continued only where they were made.
  var continuesOnItsConnection: Bool { preset == "smart-aipi" }

  /// A request for a text, with further members.
  func request(_ text: String, _ more: String = "") -> String {
    Self.request(isRealtime ? "[\(Self.item(text))]" : JSON.quoted(text), more)
  }

  static func request(_ input: String, _ more: String = "") -> String {
    #"{"type":"response.create","request_id":"q","input":\#(input)\#(more)}"#
  }

  /// What a user says, as an item of `input`.
  static func item(_ text: String) -> String {
    #"{"type":"message","role":"user","content":[{"type":"input_text","text":"#
      + JSON.quoted(text) + "}]}"
  }

  static let all = [
    Provider(
      preset: "smart-aipi", flags: ["--envelope", "nested", "--key-header", "authorization"],
      variable: "HOTLINE_API_KEY", stores: false),
    Provider(
      preset: "openai", flags: ["--envelope", "flat", "--key-header", "authorization", "--lanes"],
      variable: "OPENAI_API_KEY"),
    Provider(
      preset: "azure-openai", flags: ["--envelope", "flat", "--key-header", "api-key"],
      variable: "AZURE_OPENAI_API_KEY"),
    Provider(
      preset: "azure-openai", flags: ["--envelope", "flat", "--key-header", "authorization"],
      variable: "AZURE_OPENAI_API_KEY", lines: "key_header = \"Authorization\""),
    Provider(
      preset: "xai", flags: ["--envelope", "flat", "--key-header", "authorization"],
      variable: "XAI_API_KEY"),
    Provider(
      preset: "xai",
      flags: ["--envelope", "flat", "--subprotocol", "openai-beta.responses.v1"],
      variable: "MINE",
      lines: "key_variable = \"MINE\"\nsubprotocol = \"openai-beta.responses.v1\""),
    Provider(
      preset: "vercel-ai-gateway", flags: ["--envelope", "flat", "--key-header", "authorization"],
      variable: "AI_GATEWAY_API_KEY"),
    Provider(
      preset: "openai-realtime", flags: ["--realtime", "--key-header", "authorization"],
      variable: "OPENAI_API_KEY", stores: nil),
    Provider(preset: "local", flags: ["--envelope", "flat", "--plain", "--keyless"]),
  ]

  /// Nested, flat with lanes, flat without, Realtime.
  static let ofEachDialect = all.filter {
    ["smart-aipi", "openai", "vercel-ai-gateway", "openai-realtime"].contains($0.preset)
  }
}

/// The whole daemon with one upstream, `u`, of a preset, whose server is a simulator.
final class ProviderRig {
  let provider: Provider
  let directory: TemporaryDirectory
  let simulator: SimulatorProcess
  let daemon: DaemonProcess
  let client: LineClient

  /// - Parameters:
  ///   - flags: more of the simulator's.
  ///   - connections: how many to wait for.
  init(_ provider: Provider, flags: [String] = [], connections: Int = 1) throws {
    self.provider = provider
    directory = try TemporaryDirectory()
    let key = provider.variable.map { _ in ["--key", "sk-of-the-test"] } ?? []
    simulator = try SimulatorProcess(["--strict"] + provider.flags + flags + key, in: directory)
    let path = provider.isRealtime ? "realtime?model=m" : "responses"
    let url = simulator.url.replacing("realtime", with: path)
    let authority = provider.preset == "local" ? "" : "ca_file = \"\(simulator.caFile)\""
    var environment = ["HOTLINE_API_KEY": ""]
    if let variable = provider.variable { environment[variable] = "sk-of-the-test" }
    daemon = try DaemonProcess(
      """
      default_upstream = "u"
      [defaults]
      model = "of-the-configuration"
      [upstream.u]
      preset = "\(provider.preset)"
      url = "\(url)"
      \(authority)
      \(provider.lines)
      """, in: directory, environment: environment)
    try daemon.waitUntilWarm(connections)
    client = try daemon.client()
  }

  /// Asks for something that goes well, and returns the response of the terminal event.
  @discardableResult
  func response(_ text: String, more: String = "") throws -> JSON {
    try response(to: provider.request(text, more))
  }

  @discardableResult
  func response(to request: String) throws -> JSON { try Self.response(client.ask(request)) }

  /// The response of the terminal event, of what has gone well.
  static func response(_ lines: [Line]) throws -> JSON {
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    let terminal = lines.last { ["response.completed", "response.done"].contains($0.kind) }
    return try #require(terminal).response
  }

  /// Waits until connections are open of which none was open before.
  func waitForOthers(than before: [JSON]) throws {
    try daemon.waitForStatus("other connections") { status in
      let now = status.readyConnections.map { $0["number"] }
      return !now.isEmpty && !now.contains { before.contains($0) }
    }
  }
}
