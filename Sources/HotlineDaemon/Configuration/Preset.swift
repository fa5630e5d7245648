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

  /// What an upstream without `preset` has. Its limits are the defaults of ``UpstreamLimits``.
  static let smartAIPI = Preset(
    name: "smart-aipi",
    endpoint: UpstreamURL(known: "wss://api.smartaipi.com/v1/realtime"),
    headers: [.init(name: "OpenAI-Beta", value: "realtime=v1")],
    envelope: .nested,
    storeFalse: true,
    continuation: .connection)

  static let all = [smartAIPI]

  static func named(_ name: String) -> Preset? {
    all.first { $0.name == name }
  }
}
