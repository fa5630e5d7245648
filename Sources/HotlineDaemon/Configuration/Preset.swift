import HotlineCore

/// The settings that suit one provider; every key of the configuration overrides its own.
///
/// Data, and no code path of its own. Where nothing else is said, the providers' own documentation
/// is the source.
struct Preset: Sendable {
  var name: String
  /// What its URL is, or looks like where everybody has another.
  var url: String
  /// ``url`` has a part that only the user knows.
  var needsURL = false
  var headers: [UpstreamConfiguration.Header] = []
  var envelope = UpstreamConfiguration.Envelope.flat
  var storeFalse = false
  var continuation = UpstreamConfiguration.Continuation.anywhere
  /// The sub-protocol that is asked for; no provider documents that its server needs one.
  var subprotocol: String?
  var keyHeader = UpstreamConfiguration.KeyHeader.bearer
  /// The variable that the provider's own tools read the key from.
  var keyVariable: String?
  var wantsKey = true
  /// A request may name a model, which is filled in from the configuration where it does not.
  var takesModel = true
  /// A request is answered without what was said before, where it does not ask for that.
  var isolatesResponses = false
  /// A request is answered in text, where it does not ask for something else.
  var answersInText = false
  var limits = UpstreamLimits()
  /// Whether its server takes a request for no output, `generate:false`.
  var warmUp = WarmUpSupport.unknown
  /// What its provider charged on ``pricesDate``, by model.
  var prices: [String: Price] = [:]

  enum WarmUpSupport: String, Sendable {
    /// Its provider documents it.
    case known
    /// Its provider says nothing of it.
    case unknown
    /// It speaks another protocol, which has no such thing.
    case none
  }

  /// When ``prices`` were taken from the provider's own pages.
  static let pricesDate = "2026-11-23"

  /// What an upstream without `preset` has. Its limits are the defaults of ``UpstreamLimits``.
  static let smartAIPI = Preset(
    name: "smart-aipi",
    url: "wss://api.smartaipi.com/v1/realtime",
    headers: [.init(name: "OpenAI-Beta", value: "realtime=v1")],
    envelope: .nested,
    storeFalse: true,
    continuation: .connection,
    // Its announcement of the WebSocket API names the prices of output alone.
    prices: [
      "gpt-5.3-codex": Price(output: 3.5), "gpt-5.2": Price(output: 2.5),
      "codex-mini": Price(output: 0.15),
    ])

  /// Its WebSocket mode: up to 16 responses at once on a connection, an hour of age.
  static let openAI = Preset(
    name: "openai", url: "wss://api.openai.com/v1/responses", keyVariable: "OPENAI_API_KEY",
    limits: .with { $0.lanes = 8 }, warmUp: .known)

  /// Takes the key by `Authorization` as well; then it may be an Entra ID token. Its WebSocket mode
  /// is OpenAI's own.
  static let azureOpenAI = Preset(
    name: "azure-openai", url: "wss://RESOURCE.openai.azure.com/openai/v1/responses",
    needsURL: true, keyHeader: .named("api-key"), keyVariable: "AZURE_OPENAI_API_KEY",
    warmUp: .known)

  static let xAI = Preset(
    name: "xai", url: "wss://api.x.ai/v1/responses", keyVariable: "XAI_API_KEY")

  static let vercelAIGateway = Preset(
    name: "vercel-ai-gateway", url: "wss://ai-gateway.vercel.sh/v1/responses",
    keyVariable: "AI_GATEWAY_API_KEY")

  /// The Realtime API: the model is the connection's, chosen in the URL, and so is what was said,
  /// unless a request says that it is not to be; its server answers in audio unless told otherwise
  /// (`conversation` and `output_modalities` in the SDK's realtime_response_create_params).
  static let openAIRealtime = Preset(
    name: "openai-realtime", url: "wss://api.openai.com/v1/realtime?model=gpt-realtime",
    envelope: .nested, continuation: .connection, keyVariable: "OPENAI_API_KEY",
    takesModel: false, isolatesResponses: true, answersInText: true,
    limits: .with { $0.cancel = .ask }, warmUp: .none)

  /// A server on this machine, such as vLLM's or LocalAI's.
  static let local = Preset(
    name: "local", url: "ws://127.0.0.1:8000/v1/responses", wantsKey: false)

  static let all = [
    smartAIPI, openAI, azureOpenAI, xAI, vercelAIGateway, openAIRealtime, local,
  ]

  static func prices(ofHost host: String) -> [String: Price] {
    all.first { !$0.prices.isEmpty && $0.endpoint.host == host.lowercased() }?.prices ?? [:]
  }

  static func named(_ name: String) -> Preset? {
    all.first { $0.name == name }
  }

  var endpoint: UpstreamURL { UpstreamURL(known: url) }
}

extension UpstreamLimits {
  fileprivate static func with(_ change: (inout Self) -> Void) -> Self {
    var limits = Self()
    change(&limits)
    return limits
  }
}
