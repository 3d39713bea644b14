"""Play a bag into the node: `ros2 launch da_ros bag.launch.py bag:=recording delay:=10`.

Arguments of depth.launch.py but autostart are passed on. Every image of a bag, faster than real
time and without a ROS graph: `da_ros bag`.
"""

from __future__ import annotations

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription

PASSED_ON = (
    "image_topic",
    "camera_info_topic",
    "scale_depth_topic",
    "scale_points_topic",
    "image_transport",
    "model_size",
    "model_family",
    "model_path",
    "device",
    "params_file",
    "namespace",
    "rviz",
    "rviz_frame",
    "log_level",
)


def actions(context):
    given = {
        name: LaunchConfiguration(name).perform(context).strip()
        for name in ("bag", "rate", "delay", "loop", *PASSED_ON)
    }
    play = ["ros2", "bag", "play", given["bag"], "--clock"]
    if given["rate"]:
        play += ["--rate", given["rate"]]
    if given["delay"]:
        play += ["--delay", given["delay"]]
    if given["loop"].lower() == "true":
        play.append("--loop")
    passed = {name: given[name] for name in PASSED_ON if given[name]}
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name("depth.launch.py"))),
        launch_arguments={**passed, "use_sim_time": "true"}.items(),
    )
    return [node, ExecuteProcess(cmd=play, output="screen")]


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="bag folder or file"),
            DeclareLaunchArgument("rate", default_value="", description="speed of the bag"),
            DeclareLaunchArgument(
                "delay", default_value="", description="seconds for the node to load first"
            ),
            DeclareLaunchArgument("loop", default_value="", description="true to play again"),
            *(
                DeclareLaunchArgument(name, default_value="", description="as in depth.launch.py")
                for name in PASSED_ON
            ),
            OpaqueFunction(function=actions),
        ]
    )
