// One question to an agent, its answer as it comes.
//
//     c++ -std=c++17 quickstart.cpp $(pkg-config --cflags --libs remuda) && ./a.out claude .
#include <remuda.hpp>

#include <chrono>
#include <iostream>

int main(int argc, char **argv) {
    using namespace std::chrono_literals;
    try {
        const remuda::pool pool(remuda::pool_options{});

        remuda::session_options options;
        options.provider = argc > 1 ? argv[1] : "claude";
        options.cwd = argc > 2 ? argv[2] : ".";
        const remuda::session session = pool.open(options);
        session.send("Say hello in five words.");

        bool over = false;
        bool good = false;
        while (!over) {
            for (const remuda::event event : pool.next_events()) {
                if (event.kind() == REMUDA_EVENT_TEXT_DELTA) {
                    std::cout << event.text() << std::flush;
                }
                if (event.is_turn_end()) {
                    over = true;
                    good = event.kind() == REMUDA_EVENT_TURN_COMPLETED;
                    std::cout << std::endl;
                }
            }
        }

        // Ends the agent, and everything that it started; names what could not be ended.
        std::cout << pool.shutdown(10s) << std::endl;
        return good ? 0 : 1;
    } catch (const remuda::error &error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
