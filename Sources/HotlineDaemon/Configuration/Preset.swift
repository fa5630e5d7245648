import HotlineCore

/// The settings that suit one provider; every key of the configuration overrides its own.
struct Preset: Sendable {
  var name: String
  var endpoint: UpstreamURL
  var headers: [UpstreamConfiguration.Header]
  var envelope: UpstreamConfiguration.Envelope
  var storeFalse: Bool
  var continuation: UpstreamConfiguration.Continuation
  var limits = UpstreamLimits()
  /// What its provider charged on ``pricesDate``, by model.
  var prices: [String: Price] = [:]

  /// When ``prices`` were taken from the provider's own pages.
  static let pricesDate = "2026-11-23"

  /// What an upstream without `preset` has. Its limits are the defaults of ``UpstreamLimits``.
  static let smartAIPI = Preset(
    name: "smart-aipi",
    endpoint: UpstreamURL(known: "wss://api.smartaipi.com/v1/realtime"),
    headers: [.init(name: "OpenAI-Beta", value: "realtime=v1")],
    envelope: .nested,
    storeFalse: true,
    continuation: .connection,
    // Its announcement of the WebSocket API names the prices of output alone.
    prices: [
      "gpt-5.3-codex": Price(output: 3.5), "gpt-5.2": Price(output: 2.5),
      "codex-mini": Price(output: 0.15),
    ])

  static let all = [smartAIPI]

  static func prices(ofHost host: String) -> [String: Price] {
    all.first { $0.endpoint.host == host.lowercased() }?.prices ?? [:]
  }

  static func named(_ name: String) -> Preset? {
    all.first { $0.name == name }
  }
}
