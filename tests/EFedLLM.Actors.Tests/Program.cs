using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Actors.Tests;

/// <summary>What this assembly does when it is run as a program rather than by the test runner; see <see cref="VectorWidthProcesses"/>.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        if (args is not [VectorWidthProcesses.Argument, .. var digests])
        {
            Console.Error.WriteLine($"Run the tests with 'dotnet test', or print digests with '{VectorWidthProcesses.Argument} TYPE...'.");
            return 2;
        }

        VectorWidthProcesses.Print(digests);
        return 0;
    }
}
