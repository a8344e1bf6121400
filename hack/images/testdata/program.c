/* Stands for a program of ours: it uses two libraries by linking, one by loading it
 * itself, and looks up its own user. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("program with %s libuv/%s\n", curl_version(), uv_version_string());
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--user") == 0) {
		const struct passwd *user = getpwuid(getuid());
		printf("%s\n", user ? user->pw_name : "nobody knows");
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--load") == 0) {
		void *library = dlopen(argv[2], RTLD_NOW);
		printf("%s\n", library ? "loaded" : dlerror());
		return !library;
	}
	return 2;
}
