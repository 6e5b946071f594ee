using System.Security.Cryptography;
using System.Text;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Transformer.Tests.Tokenizers;

public sealed class CanonicalCompositionTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("\u212B", "\u00C5")]
    [InlineData("\u0041\u030A", "\u00C5")]
    [InlineData("a\u0323\u0302", "\u1EAD")]
    [InlineData("a\u0302\u0323", "\u1EAD")]
    [InlineData("a\u0301\u0301", "\u00E1\u0301")]
    [InlineData("\u1112\u1161\u11AB", "\uD55C")]
    [InlineData("\uD558\u11AB", "\uD55C")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\u0301e", "\u0301e")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65")]
    public void Text_is_composed_canonically(string text, string expected)
    {
        Assert.Equal(expected, CanonicalComposition.Apply(text));
        Assert.Equal(expected, CanonicalComposition.Apply(expected));
    }

    [Fact]
    public void Every_character_has_the_form_that_the_Unicode_Character_Database_gives_it()
    {
        // Computed with Python's unicodedata, version 14.0.0: the form C of every character, joined by line feeds.
        var forms = Enumerable.Range(0, 0x110000).Where(Rune.IsValid).Select(value => CanonicalComposition.Apply(char.ConvertFromUtf32(value)));

        Assert.Equal("900f12a0fd5b368b56e972d9dcc9cc0584951930f9d9724d079e44f36f332796", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', forms)))));
    }

    [Fact]
    public void Thousands_of_marks_on_one_letter_take_no_quadratic_time()
    {
        var text = "a" + string.Concat(Enumerable.Repeat("\u0301\u0323", 200_000));

        Assert.Equal(text.Length - 1, CanonicalComposition.Apply(text).Length);
    }
}
