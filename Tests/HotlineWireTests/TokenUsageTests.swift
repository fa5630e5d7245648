import HotlineCore
import HotlineWire
import Testing

@Suite struct TokenUsageTests {
  private func usage(_ json: String) -> TokenUsage? { TokenUsage(ByteString(json.utf8)) }

  @Test func theCountsOfBothProtocolsAreRead() {
    #expect(
      usage(
        #"{"input_tokens":36,"input_tokens_details":{"cached_tokens":12},"output_tokens":87,"#
          + #""output_tokens_details":{"reasoning_tokens":8},"total_tokens":123}"#)
        == TokenUsage(input: 36, cachedInput: 12, output: 87))
    #expect(
      usage(
        #"{"total_tokens":5,"input_token_details":{"text_tokens":3,"cached_tokens":2},"#
          + #""input_tokens":3,"output_tokens":2}"#)
        == TokenUsage(input: 3, cachedInput: 2, output: 2))
  }

  @Test func oneCountIsEnough() {
    #expect(usage(#"{"output_tokens":0}"#) == TokenUsage())
    #expect(usage(#"{"input_tokens":7}"#) == TokenUsage(input: 7))
  }

  @Test(arguments: [
    "{}", "[]", "null", "7", #"{"input_tokens":null}"#, #"{"input_tokens":-1}"#,
    #"{"input_tokens":1.5}"#, #"{"input_tokens":"3"}"#, #"{"input_tokens":9999999999999}"#,
    #"{"input_tokens_details":{"cached_tokens":5}}"#, #"{"input_tokens":1"#,
  ])
  func whatCountsNothingIsNoUsage(_ json: String) {
    #expect(usage(json) == nil)
  }

  @Test func moreFromTheCacheThanThereWasIsNotBelieved() {
    #expect(
      usage(#"{"input_tokens_details":{"cached_tokens":9},"input_tokens":4}"#)
        == TokenUsage(input: 4, cachedInput: 4))
    #expect(
      usage(#"{"input_tokens":4,"input_tokens_details":null}"#) == TokenUsage(input: 4))
  }
}
